#!/bin/sh
# banned.sh - calls that STYLE refuses, and words that mean unfinished work.
# Comments and string literals don't count as calls.
set -eu
cd "$(dirname "$0")/../.."

find broker cli tests -name '*.[ch]' | sort | xargs -r perl -e '
my @always = qw(strcpy strcat sprintf vsprintf strncpy strncat strtok atoi
    atol atof gets system popen gmtime localtime);
my @base_only = qw(strtol strtoul strtoll strtoull memcmp);
my $always = join "|", @always;
my $base = join "|", @base_only;
my $bad = 0;
for my $file (@ARGV) {
    open my $in, "<", $file or die "$file: $!";
    local $/;
    my $text = <$in>;
    my @raw = split /\n/, $text;
    # Blank comments and literals, keeping the line count.
    $text =~ s{(/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\x27(?:\\.|[^\x27\\\n])*\x27)}
              {my $t = $1; my $n = ($t =~ tr/\n//); " " . "\n" x $n}gse;
    my $line = 0;
    for (split /\n/, $text) {
        $line++;
        while (/(?<![\w.>])($always)\s*\(/g) {
            next if $1 eq "system" && $file =~ m{^tests/}; # scratch folders
            print "$file:$line: $1() is banned\n"; $bad = 1;
        }
        next if $file =~ m{^broker/base/|^tests/};
        while (/(?<![\w.>])($base)\s*\(/g) { print "$file:$line: $1() only in base/\n"; $bad = 1; }
        if (/(?<!\w)goto\s+\w+/) { print "$file:$line: goto is not used\n"; $bad = 1; }
    }
    $line = 0;
    for (@raw) {
        $line++;
        if (/\b(TODO|FIXME|XXX|HACK)\b/) { print "$file:$line: $1: finish it\n"; $bad = 1; }
    }
}
exit $bad;'
