#!/usr/bin/env bash
# Prove the README's two commands in a new, minimal system, as a newcomer would meet them.
#
# Usage: tools/fresh.sh bookworm|trixie [--user]      (as root, through ./dev fresh)
#
# How: debootstrap makes the smallest root there is, with git, from this machine's own package source and
# with the settings of its apt. The tracked files go in, and inside `./dev run` serves a request before
# `./dev test` runs, so that each installs what it alone needs. With --user they run as an ordinary user
# with sudo. The empty root and the downloaded packages are kept for the next time; the rest goes, mounts
# and processes with it: they live in name spaces of their own.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

suite=${1:-}
user=root
[ "${2:-}" != --user ] || user=newcomer
case $suite in
bookworm | trixie) ;;
*) echo "usage: ./dev fresh bookworm|trixie [--user]" >&2 && exit 2 ;;
esac
minutes=${FRESH_MINUTES:-15}
cache=/var/tmp/fairlead-fresh
base=$cache/$suite
root=$cache/$suite-run.$$

say() { printf '== %s\n' "$*"; }
trap 'rm -rf --one-file-system "$root" "$base.part"' EXIT

# The archive that this machine installs its own release from; it holds the other releases too.
package_source() {
    local release
    release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --no-release-info --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
        awk -v release="$release" '$1 == release { print $2; exit }'
}

# What says how to fetch (proxies, checks of dates, credentials, names), without this machine's hooks.
copy_apt_settings() { # ROOT
    apt-config dump | grep -E '^Acquire::' | grep -vE '^Acquire::(IndexTargets|Changelogs|Languages|Compression)' \
        >"$1/etc/apt/apt.conf.d/90machine" || true
    ! compgen -G '/etc/apt/auth.conf*' >/dev/null || cp -a /etc/apt/auth.conf* "$1/etc/apt/"
    cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
}

make_base() {
    local source keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    source=$(package_source)
    [ -n "$source" ] || { echo "fresh: no package source of this release found in /etc/apt" >&2 && exit 1; }
    say "making a minimal $suite from $source"
    mkdir -p "$cache"
    timeout 600 debootstrap --variant=minbase --include=git,sudo --keyring="$keyring" "$suite" "$base.part" \
        "$source" >"$cache/$suite.log" 2>&1 || { tail -n 20 "$cache/$suite.log" >&2 && exit 1; }
    mkdir -p "$cache/$suite-packages/partial"
    mv "$base.part/var/cache/apt/archives/"*.deb "$cache/$suite-packages/" 2>/dev/null || true
    mv "$base.part" "$base"
}

fill_root() {
    cp -a "$base" "$root"
    copy_apt_settings "$root"
    local home=$root/root
    if [ "$user" != root ]; then
        chroot "$root" useradd --create-home --shell /bin/bash "$user"
        echo "$user ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/$user"
        home=$root/home/$user
    else
        rm -f "$root/usr/bin/sudo"
    fi
    mkdir -p "$home/fairlead"
    git ls-files -z | tar --create --null --files-from=- | tar --extract --directory="$home/fairlead"
    cp tools/fresh-inside.sh "$home/inside.sh"
    [ "$user" = root ] || chroot "$root" chown -R "$user:$user" "/home/$user"
}

enter() { # in name spaces of its own: nothing of it outlives this command
    # shellcheck disable=SC2016
    timeout --kill-after=20 "${minutes}m" unshare --mount --pid --ipc --uts --fork --kill-child \
        bash -c 'set -e
            mount -t proc proc "$1/proc"
            mount --rbind /sys "$1/sys"
            mount -t tmpfs tmpfs "$1/tmp"
            mount -t tmpfs -o mode=755 tmpfs "$1/dev"
            for node in null zero full random urandom tty; do
                touch "$1/dev/$node" && mount --bind "/dev/$node" "$1/dev/$node"
            done
            mkdir "$1/dev/shm" "$1/dev/pts" && mount -t tmpfs tmpfs "$1/dev/shm"
            mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts" && ln -s pts/ptmx "$1/dev/ptmx"
            ln -s /proc/self/fd "$1/dev/fd"
            for name in stdin:0 stdout:1 stderr:2; do
                ln -s "/proc/self/fd/${name#*:}" "$1/dev/${name%:*}"
            done
            mount --bind "$2" "$1/var/cache/apt/archives"
            exec env -i TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 $3 \
                chroot "$1" su "$4" -s /bin/bash -c "cd && exec bash inside.sh"' \
        enter "$root" "$cache/$suite-packages" "$(env | grep -iE '^(https?|no)_proxy=[^ ]*$' | tr '\n' ' ')" "$user" \
        </dev/null
}

[ -d "$base" ] || make_base
fill_root
say "entering a fresh $suite as $user; at most $minutes minutes"
began=$SECONDS
if enter; then
    say "$suite: both commands work ($((SECONDS - began)) s)"
else
    status=$?
    [ "$status" != 124 ] || say "$suite: not done after $minutes minutes"
    say "$suite: FAILED"
    exit 1
fi
