# Installs what the tests need and the machine lacks. Sourced by `tests/run` and `tests/servers`, from the root of the workspace.

# Sets DLOCK_REDIS_SERVER, unless it is set: a redis-server that is here, or else the one that apt-get installs (no
# service is left running).
need_redis_server() {
    if [ -z "${DLOCK_REDIS_SERVER:-}" ]; then
        # A plain `redis-server` in PATH is enough; /usr/sbin and /usr/local/bin are not in everybody's.
        PATH="$PATH:/usr/local/bin:/usr/bin:/usr/sbin"
        command -v redis-server >/dev/null || install_redis
        DLOCK_REDIS_SERVER=$(command -v redis-server)
        export DLOCK_REDIS_SERVER
    fi
}

install_redis() {
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "$0: redis-server is missing and there is no root or sudo to install it" >&2; exit 1; }
        root=(sudo)
    fi
    command -v apt-get >/dev/null || { echo "$0: redis-server is missing: install it and run this again" >&2; exit 1; }
    # A policy of 101 keeps the package from starting its service. One that is there already is put back afterwards.
    local policy=/usr/sbin/policy-rc.d
    restore() {
        "${root[@]}" rm -f "$policy"
        if [ -e "$policy.dlock" ]; then "${root[@]}" mv "$policy.dlock" "$policy"; fi
    }
    if [ -e "$policy" ]; then "${root[@]}" mv "$policy" "$policy.dlock"; fi
    trap restore EXIT
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
    "${root[@]}" chmod 755 "$policy"
    local status=0
    { "${root[@]}" apt-get update -qq </dev/null &&
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server </dev/null; } || status=$?
    trap - EXIT
    restore
    # The package also enables its service for the next boot.
    if command -v systemctl >/dev/null; then "${root[@]}" systemctl disable --quiet redis-server 2>/dev/null || true; fi
    return "$status"
}

# Sets DLOCK_PYTHON, unless it is set, where there is a python3: one with redis-py, for the test that a client of another
# language excludes us and is excluded.
need_redis_py() {
    if [ -z "${DLOCK_PYTHON:-}" ] && command -v python3 >/dev/null; then
        local venv=$PWD/target/redis-py
        if "$venv/bin/python" -c 'import redis' 2>/dev/null ||
            { python3 -m venv "$venv" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check redis; }; then
            export DLOCK_PYTHON="$venv/bin/python"
        fi
    fi
    [ -n "${DLOCK_PYTHON:-}" ] || echo "$0: no python3 with redis-py here: the test against redis-py's Lock is skipped"
}
