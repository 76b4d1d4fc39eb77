# Completion of fairlead for bash. Installed as /usr/share/bash-completion/completions/fairlead.
# shellcheck shell=bash

_fairlead() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local commands='run check explain learn trace tail tunnels requests har self-test hash-password'
    local flags='--config --listen --listen-tls --tls-cert --tls-key --client-ca --admin --workers --run-as
        --allow-clients --users --allow --deny --connect-port --resolver --source --upstream-ca --via --timeout
        --log-level --log-format --log-file --seccomp --landlock --core-dumps --help'
    local asking='--admin --config --token-file --filter --help' command=${COMP_WORDS[1]}
    local timeouts='client_tls= client_head= dns= connect= connect_attempt_delay= upstream_tls= response_head=
        body_stall= keepalive= upstream_keepalive= tunnel_idle= tunnel_half_closed= tunnel_lifetime= drain='
    local words='' path

    case $command in
    run) ;;
    check) flags+=' --print --sandbox --diff --kill-refused' ;;
    explain) flags+=' --user --group --from --method --at-listener --certificate --at --all --running --json' ;;
    learn) flags='--by --min-count --suffixes --public-suffixes --help' ;;
    trace) flags+=' --method --repeat --serial --proxy --proxy-password-file --max-time --har --json' ;;
    tail | requests) flags="$asking --json" ;;
    tunnels) flags="$asking --json --kill" ;;
    har) flags="$asking --since --open" ;;
    self-test) flags+=' --json --list' ;;
    hash-password) flags='--user --method --help' ;;
    *) flags+=' --reference --version' command='' ;;
    esac

    case $before in
    -c | --config | --tls-cert | --tls-key | --client-ca | --upstream-ca | --log-file | --users | --public-suffixes | --diff | --token-file | --proxy-password-file)
        while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen -f -- "$word")
        compopt -o filenames
        return
        ;;
    --log-format) words='line json combined squid auto' ;;
    --method)
        words='GET HEAD POST PUT DELETE CONNECT'
        [ "$command" != hash-password ] || words='yescrypt bcrypt sha512 sha256'
        ;;
    --log-level) words='error warning notice info debug' ;;
    --seccomp) words='refuse kill log off' ;;
    --landlock) words='auto on off' ;;
    --by) words='user client all' ;;
    --core-dumps) words='on off' ;;
    --connect-port) words='443 8443 any' ;;
    --admin) words='127.0.0.1:3129 off' ;;
    --run-as) words=$(compgen -u) ;;
    --timeout)
        words=$timeouts
        compopt -o nospace
        ;;
    --listen | --listen-tls | --workers | --allow* | --deny | --resolver | --source | --via | --user | --group | \
        --from | --at-listener | --certificate | --at | --min-count | --suffixes | \
        --since | --kill | --repeat | --max-time | --proxy) return ;;
    --filter)
        words='host= url~ method= client= user= upstream= status= kind=tunnel decision=refused end= slow= cause= rule=
            sni= agent= up> down> use> retries> worker= client_conn= upstream_conn= id= client_tls> receive> blocked> dns>
            connect> parent_tls> parent> tls> send> wait> load> deliver> inside_hello> inside_tls> inside_wait> tunnel>
            close> total>'
        compopt -o nospace
        ;;
    *)
        [[ $command != learn && $command != har || $word == -* || $COMP_CWORD == 1 ]] || {
            while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen -f -- "$word")
            compopt -o filenames
            return
        }
        words=$flags
        [ "$COMP_CWORD" != 1 ] || words+=" $commands help"
        [ "$COMP_CWORD $before" != '2 help' ] || words=$commands
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _fairlead fairlead
