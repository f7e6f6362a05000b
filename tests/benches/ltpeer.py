"""libtorrent as one headless peer: the yardstick of swarm.py. Prints JSON lines: ready, done."""

import argparse
import json
import time

import libtorrent as lt

args = argparse.ArgumentParser()
args.add_argument("--torrent", required=True)
args.add_argument("--data", required=True)
args.add_argument("--listen", required=True)
args.add_argument("--peer")
args = args.parse_args()

address, _ = args.listen.split(":")
session = lt.session({
    "listen_interfaces": args.listen, "outgoing_interfaces": address,
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "out_enc_policy": 2, "in_enc_policy": 2, "allow_multiple_connections_per_ip": True,
    "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.storage_notification,
})
params = lt.add_torrent_params()
params.ti = lt.torrent_info(args.torrent)
params.save_path = args.data
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
handle = session.add_torrent(params)
while "checking" in str(handle.status().state):
    time.sleep(0.02)
print(json.dumps({"event": "ready"}), flush=True)
if args.peer:
    input()  # the start is the driver's to give
    host, port = args.peer.split(":")
    handle.connect_peer((host, int(port)))
while not args.peer or not handle.status().is_seeding:
    session.wait_for_alert(1000 if args.peer is None else 50)
    session.pop_alerts()
handle.flush_cache()  # it is finished before its data is written
while not any(isinstance(alert, lt.cache_flushed_alert) for alert in session.pop_alerts()):
    session.wait_for_alert(50)
print(json.dumps({"event": "done"}), flush=True)
input()
