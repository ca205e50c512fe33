#!/bin/sh
# Makes the user and the configurations that depend on who and where, as root, then runs the desktop.
set -u

need() {
    eval "value=\${$1:-}"
    if [ -z "$value" ]; then
        echo "startup: the variable $1 is not set" >&2
        exit 1
    fi
}

make_user() {
    useradd --user-group --no-create-home --home-dir "$HOME" --shell /bin/bash "$USER" || exit 1
    mkdir -p "$HOME"
    cp -a /etc/skel/. "$HOME"
    chown -R "$USER:$USER" "$HOME"
    echo "$USER:$USER" | chpasswd
}

# The user of this container is not the owner of what is mounted here: everybody may write.
open_workspace() {
    if [ -d /workspace ]; then
        chmod 777 /workspace
    fi
}

configure() {
    envsubst '$SESSION_PATH' </etc/older/nginx.conf >/etc/nginx/sites-enabled/default
    envsubst '$USER $HOME $X11_WIDTH $X11_HEIGHT $X11_DEPTH $OLDER_DELAY' \
        </etc/older/supervisord.conf >/etc/supervisor/conf.d/desktop.conf
}

need USER
need JPY_USER
need JPY_BASE_USER_URL
: "${URL_ID:=$(sed -n 's|.*/\([0-9a-f]\{64\}\).*|\1|p' /proc/self/cgroup | head -n 1)}"
: "${X11_WIDTH:=1024}" "${X11_HEIGHT:=768}" "${X11_DEPTH:=16}"
HOME=/home/$USER
SESSION_PATH=$JPY_BASE_USER_URL/containers/$URL_ID
export HOME SESSION_PATH X11_WIDTH X11_HEIGHT X11_DEPTH

make_user
open_workspace
configure
nginx
exec supervisord --nodaemon --configuration /etc/supervisor/supervisord.conf
