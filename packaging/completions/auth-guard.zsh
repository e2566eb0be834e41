#compdef auth-guard
# Completion of auth-guard in zsh: the program itself says what may follow.
_auth-guard() {
    local -a answer shown
    local line word count
    answer=("${(@f)$(command auth-guard completion words -- \
        "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    for line in "${answer[@]}"; do
        case $line in
        '') ;;
        :files) compset -P '--*='; _files ;;
        :dirs) compset -P '--*='; _files -/ ;;
        :command\ *)
            count=$((${line#:command } + 1))
            shift $count words
            ((CURRENT -= count))
            _normal
            ;;
        *)
            word=${line%%$'\t'*}
            shown+=("${word//:/\\:}:${line#*$'\t'}")
            ;;
        esac
    done
    ((${#shown} == 0)) || _describe -V auth-guard shown
}
if [[ $funcstack[1] == _auth-guard ]]; then
    _auth-guard "$@"
else
    compdef _auth-guard auth-guard
fi
