#!/bin/sh
# Start Redis with the password of the secret; on a command line other processes could read it.
set -eu
umask 077
{
    cat /etc/redis/redis.conf
    printf 'dir /data\nrequirepass %s\n' "$(cat /run/secrets/redis_password)"
} >/run/redis/redis.conf
exec redis-server /run/redis/redis.conf
