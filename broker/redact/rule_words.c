#include "redact/rule_words.h"

#include <pthread.h>
#include <string.h>

enum {
    WORD_MIN_BYTES = 3,
};

/* Words of source code, configuration and plain English, as they are parts of
 * names: by their first letter, in order, each with a blank behind it. */
static const char *const WORDS[26] = {
    "able about above access account accounts action actions active "
    "activity actor add address admin administrator after again agent "
    "agents alert alias all allow allowed alpha also always amount and "
    "android angular animal answer any apache api app apple application "
    "applications apps april archive are area argument arguments array "
    "article asdf assert asset assets async attach attribute attributes "
    "audit august auth authentication author authority authorization "
    "authorize auto automatic autumn available avatar await aws azure ",
    "back backend background backup bad banana bank bar base baseball "
    "based basic batch bearer been before being below beta between bin "
    "binary bind bit bitbucket black blob block blocks blog blue board "
    "body bool boolean boot bot both bottom bound box branch break bridge "
    "browser bucket buffer bug build builder builds bundle business but "
    "button byte bytes ",
    "cache call callback calls camera can cancel capital card case cat "
    "catch category cell center cert certificate certificates chain change "
    "changes channel char character characters chat check checker checks "
    "cherry child children choice circle city class clean clear cli click "
    "client clients clock clone close cloud cluster code codec coffee "
    "collection color column com comma command commands comment commit "
    "common community company compare compile complete component "
    "components compute config configuration configure confirm connect "
    "connection connections const constant consumer contact container "
    "content contents context continue control controller cookie cookies "
    "copy core correct cost could count counter country create created "
    "creator credential credentials cron cross current custom customer ",
    "daemon dash dashboard data database databases date datetime day days "
    "deal debug december decode decoder decrypt default defaults define "
    "delete demo deny depend dependency deploy deployment depth describe "
    "description design desktop dest destination detail details detect dev "
    "develop developer development device devices dial dict dictionary "
    "diff different digest digital dir direct direction directory disable "
    "disabled discord discovery disk dispatch display dist docker document "
    "documents domain domains done double down download draft dragon draw "
    "drive driver drop duration dynamic ",
    "each eagle early east easy edge edit editor element email emails "
    "empty enable enabled encode encoded encoder encoding encrypt "
    "encrypted encryption end endpoint endpoints engine enter enterprise "
    "entity entry enum env environment equal error errors escape even "
    "event events every exact exam except exception exec execute executor "
    "exist exists exit expect expected expire expired expires expiry "
    "export express expression extend extension external extra ",
    "face factory fail failed failure fallback false family fast feature "
    "features february feed fetch field fields file filename files fill "
    "filter filters final find finder fire firebase first fix fixed "
    "fixture flag flags flask flat flight float flow flower flush focus "
    "folder folders font foo food football footer for force foreign fork "
    "form format formatter forward found frame framework free frequency "
    "friday friend from front frontend full func function functions future ",
    "game gateway general generate generated generator generic get git "
    "github gitlab give global golang gold good google grand grant graph "
    "green grid group groups guard guest guide ",
    "had handle handler handlers has hash have head header headers health "
    "heart height hello help helper her here hex hidden hide high him his "
    "history hold home hook hooks horse host hosts hour house how html "
    "http https human hunter ",
    "icon identifier identity idle ignore image images impl implement "
    "import important include index info information init initial inline "
    "inner input insert inside install instance int integer integration "
    "interface internal internet interval into invalid invite invoice "
    "issue issuer item items its ",
    "january java javascript job jobs join json july jump june junk just "
    "jwt ",
    "kafka keep key keyboard keys keyspace kind kit know kube kubernetes ",
    "label labels lang language large last lat latest launch layer layout "
    "lead leader least left legacy lemon length less letmein letter level "
    "levels lib library license life light like limit limits line linear "
    "lines link links linux lion list listen listener lite live load "
    "loader local localhost location lock log logger logging login logo "
    "logs long look loop low ",
    "mac machine magic mail mailer main make manage management manager "
    "manifest manual many map mapper mapping march mark market master "
    "match material math max maximum may maybe media member members memory "
    "menu merchant message messages meta metadata method metric metrics "
    "micro middle might migrate migration min mini minimum minute minutes "
    "mirror missing mix mobile mock mode model models modern module "
    "modules monday money mongo mongodb monitor monkey month more most "
    "mount mouse move movie msg much multi music must mutable mysql ",
    "name named names namespace native nav need nested net netlify network "
    "never new news next nginx node nodes none normal north not note notes "
    "nothing notification notify november now null num number numbers ",
    "oauth obj object objects october off offer office offline offset "
    "often okay old once one online only onto open openai operation "
    "operator option optional options oracle orange order orders org "
    "organization origin original other others our out outer output "
    "outside over owner ",
    "pack package packages packet page pages pair panel param parameter "
    "parameters params parent parse parser part partial partner pass "
    "passed passphrase passwd password passwords past patch path paths "
    "pattern pause pay payload payment peer pending people percent perf "
    "performance permission permissions person personal phone photo php "
    "picture pin ping pipe pipeline pixel place plain plan platform play "
    "player plugin plugins point pointer points policy pool pop port "
    "portal position post postgres postgresql posts power prefix premium "
    "present preset press prev preview previous price primary princess "
    "print printer priority private pro problem process processor prod "
    "producer product production products profile profiles program "
    "programming progress project projects promise prompt prop proper "
    "properties property props protect protected protocol provider proxy "
    "pub public publish published publisher pull purchase push put pwd "
    "python ",
    "quality quantity query question queue quick quiet quit quota quote "
    "qwerty ",
    "rabbit race rack rails random range rank rate ratio raw react read "
    "reader ready real realm reason receive recent record records red "
    "redirect redis ref reference refresh regex region register registry "
    "regular reject relation release reload remote remove render repeat "
    "replace replica reply repo report repository request requests require "
    "required reserved reset resolve resolver resource resources response "
    "rest result results resume retry return reverse review right robot "
    "role roles room root rotate round route router routes row rows ruby "
    "rule rules run runner running runtime rust ",
    "safe salt same sample sandbox saturday save scale scan schedule "
    "scheduler schema school scope score screen script scripts scroll sdk "
    "search season second seconds secret secrets section sections secure "
    "security seed segment select selected selector self send sender sent "
    "sentry separate september sequence serial series server servers "
    "service services session sessions set setting settings setup shadow "
    "shape share shared she sheet shell shift ship shop short should show "
    "shutdown side sign signal signature signed signing silver simple "
    "single site size skip slack slave sleep slice slow small smart smtp "
    "snapshot snow social socket soft software some sort source sources "
    "south space spark speak spec special speed split sport spring sprint "
    "sql square ssh ssl stable stack staff stage staging standard star "
    "start started state statement states static station stats status step "
    "steps still stop storage store story stream street strict string "
    "strings stripe strong struct structure student studio style sub "
    "subject submit subscribe subscription success such suffix suite sum "
    "summary summer sunday sunshine super supplier support sure surface "
    "suspend swap switch symbol sync syntax system ",
    "tab table tables tag tags take target task tasks team teams tech temp "
    "template templates temporary tenant term terminal terraform test "
    "tester testing tests text than that the their them theme then there "
    "these they thing think third this those thread threads three "
    "threshold through throw thursday ticket tier tiger time timeout timer "
    "times timestamp tiny title tmp today token tokenizer tokens too tool "
    "tools top topic total touch trace track trade traffic train "
    "transaction transfer transform translate transport travel tree "
    "trigger true trust try tuesday tunnel turn twilio twitter two txt "
    "type types ",
    "ubuntu uint unable undefined under union unique unit unix unknown "
    "unless unlock until update updated upgrade upload upper uri url urls "
    "usage use used user username users uses using utc util utility utils "
    "uuid ",
    "val valid validate validation validator value values var variable "
    "variables variant vault vector vendor verification verified verify "
    "version versions vertical very via video view viewer views virtual "
    "visible visit visual voice void volume vote vpc ",
    "wait wake wallet want warn warning was watch water wave way weak "
    "weather web webhook website wednesday week weight welcome well were "
    "west what wheel when where which white who why wide widget width wiki "
    "will win window windows winter wire with without woman word words "
    "work worker workers workflow working workspace world worth would wrap "
    "wrapper write writer wrong ",
    "xml ",
    "yaml year yellow yes yesterday yet you young your ",
    "zero zip zone zoom ",
};

/* Where in the words of a letter those begin that go on with another. */
static uint16_t starts[26][26];
static pthread_once_t starts_once = PTHREAD_ONCE_INIT;

static void
find_starts(void)
{
    for (size_t first = 0; first < 26; first++) {
        const char *at = WORDS[first];
        size_t second;

        for (second = 0; second < 26; second++) {
            while (*at != '\0' && at[1] < (char)('a' + second)) {
                at = strchr(at, ' ') + 1;
            }
            starts[first][second] = (uint16_t)(at - WORDS[first]);
        }
    }
}

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

size_t
rule_words_longest(struct span text)
{
    uint8_t first = text.len < WORD_MIN_BYTES ? 0 : lower(text.ptr[0]);
    uint8_t second = text.len < WORD_MIN_BYTES ? 0 : lower(text.ptr[1]);
    size_t longest = 0;
    const char *at;

    if (first < 'a' || first > 'z' || second < 'a' || second > 'z') {
        return 0;
    }
    (void)pthread_once(&starts_once, find_starts);
    for (at = WORDS[first - 'a'] + starts[first - 'a'][second - 'a'];
         *at != '\0' && (uint8_t)at[1] == second;) {
        size_t len = 2;

        while (len < text.len && at[len] != ' ' &&
               (uint8_t)at[len] == lower(text.ptr[len])) {
            len++;
        }
        if (at[len] == ' ' && len > longest) {
            longest = len;
        }
        at = strchr(at + len, ' ') + 1;
    }
    return longest;
}
