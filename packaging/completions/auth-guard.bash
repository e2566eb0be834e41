# Completion of auth-guard in bash: the program itself says what may follow.
_auth_guard() {
    local words=() starts=() answer=()
    local rest=${COMP_LINE:0:COMP_POINT} trimmed word line breaks='' cut='' i
    # Bash takes words apart at = and : too; the program wants them as typed.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        trimmed=${rest#"${rest%%[![:space:]]*}"}
        word=${COMP_WORDS[i]}
        ((i < COMP_CWORD)) || word=$trimmed
        if ((i > 0)) && [[ -n $rest && $rest == "$trimmed" ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
            starts+=("$i")
        fi
        rest=${trimmed#"$word"}
    done
    # What stands before the last of them stays, and is not said again.
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
    word=${words[${#words[@]} - 1]}
    # shellcheck disable=SC2295 # a set of letters
    [[ -z $breaks || $word != *[$breaks]* ]] || cut=${word%"${word##*[$breaks]}"}

    COMPREPLY=()
    mapfile -t answer < <(command auth-guard completion words -- \
        "${words[@]:1}" 2>/dev/null)
    for line in "${answer[@]}"; do
        case $line in
        :files) compopt -o default ;;
        :dirs) compopt -o dirnames ;;
        :command\ *)
            i=${starts[${line#:command } + 1]}
            if declare -F _command_offset >/dev/null; then
                _command_offset "$i"
            elif ((i == COMP_CWORD)); then
                mapfile -t COMPREPLY < <(compgen -c -- "$word")
            else
                compopt -o default
            fi
            ;;
        *)
            line=${line%%$'\t'*}
            COMPREPLY+=("${line#"$cut"}")
            ;;
        esac
    done
}
complete -F _auth_guard auth-guard
