"""nginx.py - an nginx of the test's own, on 127.0.0.1 and without a log.

    import nginx
    child = nginx.start(where, "name", nginx.front(port, to, cert, key), port)

`where` is a folder of the caller's own: NAME.conf, NAME.log and what nginx
writes besides lie there.
"""
import os
import shutil
import socket
import subprocess
import time

CONF = """
daemon off;
{processes};
pid {where}/{name}.pid;
error_log {where}/{name}.log crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {where}/t1;
    proxy_temp_path {where}/t2;
    fastcgi_temp_path {where}/t3;
    uwsgi_temp_path {where}/t4;
    scgi_temp_path {where}/t5;
    client_max_body_size 0;
    keepalive_requests 10000000;
    sendfile on;
    tcp_nodelay on;
{servers}
}}
"""

# Says in X-Protocol, to either side, what the client spoke; streams both ways.
FRONT = """
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        add_header X-Protocol $server_protocol always;
        add_header X-Connection $connection always;
        location / {{
            proxy_pass http://127.0.0.1:{to};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Protocol $server_protocol;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
        }}
    }}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def front(port, to, cert, key):
    """The text of an HTTP/2 server in front of the plain one at `to`."""
    return FRONT.format(port=port, to=to, cert=cert, key=key)


def start(where, name, servers, port, processes="master_process off"):
    """Runs `servers` until killed; None where there is no nginx or it ends.

    Returns when it listens at `port`. With another word for `processes` it has
    workers, which only SIGTERM takes along.
    """
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        return None
    conf = os.path.join(where, name + ".conf")
    with open(conf, "w", encoding="ascii") as out:
        out.write(CONF.format(where=where, name=name, servers=servers,
                              processes=processes))
    child = subprocess.Popen([program, "-c", conf, "-e",
                              f"{where}/{name}.log"],
                             stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL,
                             start_new_session=processes != "master_process off")
    while child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return child
        except OSError:
            time.sleep(0.01)
    return None
