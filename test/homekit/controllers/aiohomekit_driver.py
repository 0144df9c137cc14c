"""Drives aiohomekit, Home Assistant's controller, by lines of JSON.

In:  {"id": 1, "do": "get", "seconds": 10, ...}
Out: {"id": 1, "ok": ...} or {"id": 1, "error": {"type": ..., "message": ..., "tlv": 2, "http": 400}}, and unasked
     {"event": [...]}, {"gone": true}, {"here": true}; each with "at", nanoseconds of the monotonic clock.

The process is one controller with at most one pairing. The end of its input ends it.
"""

import asyncio
import json
import logging
import sys
import time
import uuid

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from aiohomekit import exceptions
from aiohomekit.characteristic_cache import CharacteristicCacheMemory
from aiohomekit.controller.ip.controller import IpController
from aiohomekit.zeroconf import HAP_TYPE_TCP, ZeroconfServiceListener

# What the errors of table 5-5 became.
TLV_ERRORS = {
    exceptions.InvalidError: 1,
    exceptions.UnknownError: 1,
    exceptions.AuthenticationError: 2,
    exceptions.UnpairedError: 2,
    exceptions.BackoffError: 3,
    exceptions.MaxPeersError: 4,
    exceptions.MaxTriesError: 5,
    exceptions.UnavailableError: 6,
    exceptions.BusyError: 7,
}


def say(**line):
    line["at"] = time.monotonic_ns()
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def told(err):
    out = {"type": type(err).__name__, "message": str(err)}
    for kind, code in TLV_ERRORS.items():
        if type(err) is kind:
            out["tlv"] = code
    if isinstance(err, exceptions.HttpErrorResponse):
        out["http"] = err.response.code
        out["body"] = err.response.body.decode("utf-8", "replace")
    return out


def rows(table):
    """A table of (aid, iid) as the rows that were on the wire."""
    return [{"aid": aid, "iid": iid, **row} for (aid, iid), row in table.items()]


class Browse:
    """An mDNS browser with nothing in its cache: what looks at TXT records lives as long as the look."""

    async def __aenter__(self):
        self.azc = AsyncZeroconf(ip_version=IPVersion.All)
        await self.azc.__aenter__()
        self.browser = AsyncServiceBrowser(self.azc.zeroconf, [HAP_TYPE_TCP], listener=ZeroconfServiceListener())
        self.controller = IpController(CharacteristicCacheMemory(), self.azc)
        await self.controller.async_start()
        return self

    async def __aexit__(self, *_):
        await self.controller.async_stop()
        await self.browser.async_cancel()
        await self.azc.__aexit__(None, None, None)

    def txt(self, name):
        info = AsyncServiceInfo(HAP_TYPE_TCP, f"{name}.{HAP_TYPE_TCP}")
        info.load_from_cache(self.azc.zeroconf)
        return {k: v or "" for k, v in info.decoded_properties.items()}

    def services(self):
        for found in self.controller.discoveries.values():
            d, txt = found.description, self.txt(found.description.name)
            # The library's own id is in lower case.
            yield {"name": d.name, "id": txt.get("id", ""), "addresses": d.addresses, "port": d.port, "txt": txt}


class Driver:
    def __init__(self):
        self.home = None  # the browser that stays as long as the pairing does, as in Home Assistant
        self.seen = {}  # what discoveries said, by id
        self.pairing = None
        self.address = None
        self.key = None

    async def discover(self, ask):
        want, sf = ask.get("accessory", ""), ask.get("sf")
        end = time.monotonic() + ask["seconds"] - 0.5
        async with Browse() as browse:
            while True:
                for s in browse.services():
                    if want in ("", s["id"]) and sf in (None, s["txt"].get("sf")):
                        self.seen[s["id"]] = browse.controller.discoveries[s["id"].lower()].description
                        return s
                if time.monotonic() > end:
                    raise exceptions.AccessoryNotFoundError(f"seen: {list(browse.services())}")
                await asyncio.sleep(0.02)

    async def _controller(self):
        if self.home is None:
            self.home = Browse()
            await self.home.__aenter__()
        return self.home.controller

    async def _discovery(self, ask):
        controller = await self._controller()
        return controller._make_discovery(self.seen[ask["accessory"]])

    async def pair(self, ask):
        discovery = await self._discovery(ask)
        try:
            finish = await discovery.async_start_pairing("new")
            pairing = await finish(ask["code"])
        finally:
            await discovery.close()
        data = dict(pairing.pairing_data)
        await pairing.shutdown()
        discovery.controller.pairings.pop("new", None)
        self._adopt(discovery.controller, data)
        return self._saved()

    async def identify(self, ask):
        discovery = await self._discovery(ask)
        try:
            await discovery.async_identify()
        finally:
            await discovery.close()

    def _adopt(self, controller, data):
        """Loads the pairing, and listens to what becomes of its connection."""
        p = self.pairing = controller.load_pairing("home", data)
        made, lost, received = p.connection_made, p.connection._connection_lost, p.event_received

        async def connection_made(secure):
            await made(secure)
            if secure:
                say(here=True)

        def connection_lost(err):
            was = p.connection.is_connected
            lost(err)
            if was:
                p.supports_subscribe = True  # it would poll for the rest of the session
                say(gone=True)

        # Its own listeners also hear of its own writes.
        def event_received(event):
            say(event=event.get("characteristics", []))
            received(event)

        p.connection_made, p.event_received = connection_made, event_received
        p.connection._connection_lost = connection_lost

    def _saved(self):
        d = self.pairing.pairing_data
        return {
            "accessory": d["AccessoryPairingID"],
            "accessoryKey": d["AccessoryLTPK"],
            "controller": d["iOSPairingId"],
            "secret": d["iOSDeviceLTSK"],
            "public": d["iOSDeviceLTPK"],
        }

    async def new(self, ask):
        """Makes the keys of a controller that somebody else will add."""
        key = ed25519.Ed25519PrivateKey.generate()
        raw = serialization.Encoding.Raw
        return {
            "controller": str(uuid.uuid4()),
            "secret": key.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()).hex(),
            "public": key.public_key().public_bytes(raw, serialization.PublicFormat.Raw).hex(),
        }

    async def load(self, ask):
        controller = await self._controller()
        p = ask["pairing"]
        self._adopt(
            controller,
            {
                "AccessoryPairingID": p["accessory"],
                "AccessoryLTPK": p["accessoryKey"],
                "iOSPairingId": p["controller"],
                "iOSDeviceLTSK": p["secret"],
                "iOSDeviceLTPK": p["public"],
                "AccessoryIP": ask["addresses"][0],
                "AccessoryIPs": ask["addresses"],
                "AccessoryPort": ask["port"],
                "Connection": "IP",
            },
        )

    async def accessories(self, ask):
        return await self.pairing.list_accessories_and_characteristics()

    async def get(self, ask):
        ids = [tuple(i) for i in ask["ids"]]
        flags = ask.get("flags") or []
        if not flags:
            return rows(await self.pairing.get_characteristics(ids))
        # The library has no flags of its own.
        await self.pairing._ensure_connected()
        url = "/characteristics?id=" + ",".join(f"{aid}.{iid}" for aid, iid in ids) + "".join(f"&{f}=1" for f in flags)
        return (await self.pairing.connection.get_json(url))["characteristics"]

    async def put(self, ask):
        writes, ttl, response = ask["writes"], ask.get("timed"), ask.get("response")
        known = self.pairing.accessories or []
        ids = {(a.aid, c.iid) for a in known for s in a.services for c in s.characteristics}
        if not ttl and not response and all((w["aid"], w["iid"]) in ids for w in writes):
            return rows(await self.pairing.put_characteristics([(w["aid"], w["iid"], w["value"]) for w in writes]))
        # What the library refuses to ask: timed writes, write responses, ids that are not there.
        await self.pairing._ensure_connected()
        body = {"characteristics": [{**w, "r": True} if response else w for w in writes]}
        if ttl:
            body["pid"] = int.from_bytes(uuid.uuid4().bytes[:6], "big")
            prepared = await self.pairing.connection.put_json("/prepare", {"ttl": ttl, "pid": body["pid"]})
            if prepared.get("status") != 0:
                raise RuntimeError(f"prepare: {prepared}")
        return (await self.pairing.connection.put_json("/characteristics", body)).get("characteristics", [])

    async def subscribe(self, ask):
        got = await self.pairing.subscribe([tuple(i) for i in ask["ids"]])
        if got is None or not self.pairing.connection.is_connected or not self.pairing.supports_subscribe:
            raise exceptions.AccessoryDisconnectedError("no subscription")
        return rows(got)

    async def unsubscribe(self, ask):
        return rows(await self.pairing.unsubscribe([tuple(i) for i in ask["ids"]]))

    async def list(self, ask):
        return [
            {"controller": p["pairingId"], "public": p["publicKey"], "admin": p["permissions"] & 1 == 1}
            for p in await self.pairing.list_pairings()
        ]

    async def add(self, ask):
        await self.pairing.add_pairing(ask["controller"], ask["public"], "Admin" if ask["admin"] else "User")

    async def remove(self, ask):
        await self.pairing.remove_pairing(ask["controller"])

    async def close(self, ask):
        if self.pairing is None:
            return
        pairing, self.pairing = self.pairing, None
        pairing.controller.pairings.clear()
        try:
            await pairing.shutdown()
        except exceptions.HomeKitException:
            pass  # why its last connection came to nothing

    async def answer(self, ask):
        try:
            if ask["do"].startswith("_"):
                raise ValueError(ask["do"])
            ok = await asyncio.wait_for(getattr(self, ask["do"])(ask), ask["seconds"])
            say(id=ask["id"], ok=ok)
        except Exception as err:  # each is told to whoever asked
            say(id=ask["id"], error=told(err))


async def main():
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    driver, tasks = Driver(), set()
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(ready=True)
    while line := await reader.readline():
        task = asyncio.create_task(driver.answer(json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


asyncio.run(main())
