#!/bin/sh
# Installs Ropeway from this folder, for everybody when run by root, and otherwise for you alone.
#
#   ./install.sh                     into /usr/local or ~/.local
#   ./install.sh --prefix DIR        somewhere else
#   ./install.sh --uninstall [...]   removes what it has installed there; settings and what was received stay
set -eu
here=$(cd "$(dirname "$0")" && pwd)

remove=
prefix=/usr/local
[ "$(id -u)" = 0 ] || prefix=$HOME/.local
while [ $# -gt 0 ]; do
    case $1 in
    --uninstall) remove=yes ;;
    --prefix) prefix=${2:?--prefix needs a folder} && shift ;;
    *)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
        exit 2
        ;;
    esac
    shift
done
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)

cd "$here"
find bin share -type f | while read -r file; do
    if [ -n "$remove" ]; then
        rm -f "$prefix/$file"
    else
        mkdir -p "$prefix/$(dirname "$file")"
        # Beside it and renamed, so that one that runs is not written into.
        cp "$file" "$prefix/$file.new"
        mv "$prefix/$file.new" "$prefix/$file"
    fi
done
if [ -n "$remove" ]; then
    # The one folder that is ours alone.
    rmdir "$prefix/share/doc/ropeway" 2>/dev/null || true
else
    # As sed takes it in place of something.
    place=$(printf '%s' "$prefix" | sed 's/[&|\\]/\\&/g')
    # A desktop may not look for programs here.
    menu=kio/servicemenus/ropeway-send.desktop
    for entry in applications/ropeway.desktop $menu nemo/actions/ropeway.nemo_action; do
        entry=$prefix/share/$entry
        sed -e "s|^Exec=ropeway |Exec=\"$place/bin/ropeway\" |" -e '/^Dependencies=/d' "$entry" >"$entry.new"
        mv "$entry.new" "$entry"
    done
    # KDE runs what somebody has put there only if it may be run.
    chmod +x "$prefix/share/$menu"
    script=$prefix/share/nautilus-python/extensions/ropeway.py
    sed "s|\[\"ropeway\"|[\"$place/bin/ropeway\"|" "$script" >"$script.new"
    mv "$script.new" "$script"
fi

# Where these are there, links and icons work at once; otherwise from the next login on.
if command -v update-desktop-database >/dev/null; then
    update-desktop-database -q "$prefix/share/applications" || true
fi
if command -v gtk-update-icon-cache >/dev/null; then
    gtk-update-icon-cache -q -t -f "$prefix/share/icons/hicolor" || true
fi

if [ -n "$remove" ]; then
    echo "Ropeway is removed from $prefix."
else
    echo "Ropeway is installed: $prefix/bin/ropeway"
    case :$PATH: in
    *":$prefix/bin:"*) ;;
    *) echo "To call it by its name alone, add $prefix/bin to PATH." ;;
    esac
fi
