#!/bin/sh
# run.sh ENVIRONMENT APP CHDIR HTTP HTTPS: serves an application as `make run` promises.
set -eu
environment=$1
app=$2
chdir=$3
http=$4
https=$5

if [ "${app%%:*}" = werkzeug.testapp ] && ! "$environment/bin/python" -c 'import werkzeug' 2>/dev/null; then
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check werkzeug
fi

# A certificate of its own, for a month.
if ! openssl x509 -in run/server.crt -noout -checkend 86400 >/dev/null 2>&1; then
    command -v openssl >/dev/null || {
        echo "missing: openssl, which makes the certificate (Debian package openssl)" >&2
        exit 1
    }
    mkdir -p run
    (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -keyout run/server.key -out run/server.crt -subj /CN=localhost \
        -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' 2>/dev/null)
fi

cat <<END
Serving $app
  https://$https/   HTTP/2 and HTTP/1.1 (its certificate is self-signed: run/server.crt)
  http://$http/    HTTP/1.1, and HTTP/2 by prior knowledge
Try:
  curl --http2 --cacert run/server.crt https://$https/
Stop with Ctrl-C.
END
exec "$environment/bin/thalweg" --http "$http" --https2 "addr=$https,cert=run/server.crt,key=run/server.key" \
    --access-log - --chdir "$chdir" --module "$app"
