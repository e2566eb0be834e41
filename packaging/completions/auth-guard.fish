# Completion of auth-guard in fish: the program itself says what may follow.
function __auth_guard_complete
    set -l current (commandline -ct)
    set -l words (commandline -opc)[2..-1] "$current"
    for line in (command auth-guard completion words -- $words 2>/dev/null)
        switch $line
            case ':files' ':dirs'
                set -l before (string match -r -- '^--[^=]*=' $current)
                set -l path (string replace -r -- '^--[^=]*=' '' $current)
                for found in (__fish_complete_path "$path")
                    string match -q -- '*/*' $found
                    or test $line = ':files'
                    and echo "$before$found"
                end
            case ':command *'
                set -l first (math (string replace ':command ' '' $line) + 1)
                complete -C (string join ' ' -- (string escape -- $words[$first..-2]) $words[-1])
            case '*'
                echo $line
        end
    end
end
complete -c auth-guard -f -a '(__auth_guard_complete)'
