#!/bin/sh
# Render the gateway's configuration from its six variables and run nginx. Only GATEWAY_RUN needs to be writable.
set -eu

source="${GATEWAY_SOURCE:-/etc/nginx/node}"
sed -e "s|\${GATEWAY_LISTEN}|$GATEWAY_LISTEN|g" \
    -e "s|\${API_UPSTREAM}|$API_UPSTREAM|g" \
    -e "s|\${STATIC_ROOT}|$STATIC_ROOT|g" \
    -e "s|\${SPA_ROOT}|$SPA_ROOT|g" \
    -e "s|\${VIEWER_ROOT}|$VIEWER_ROOT|g" \
    -e "s|\${GATEWAY_RUN}|$GATEWAY_RUN|g" \
    "$source/nginx.conf.template" >"$GATEWAY_RUN/nginx.conf"
ln -sfn "$source/snippets" "$GATEWAY_RUN/snippets"
exec nginx -c "$GATEWAY_RUN/nginx.conf" -g "daemon off;" "$@"
