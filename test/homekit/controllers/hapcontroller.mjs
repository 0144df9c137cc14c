// Drives hap-controller by lines of JSON, which aiohomekit_driver.py describes. The library never settles a promise of a
// connection that is lost, and never connects again: both are done here, as its users have to.
import { createInterface } from 'node:readline';
import { randomUUID } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { createRequire } from 'node:module';

console.log = console.error; // standard output is for the lines
const require = createRequire(import.meta.url);
const { HttpClient, IPDiscovery } = require('hap-controller');
const sodium = require('libsodium-wrappers');

function say(line) {
  process.stdout.write(JSON.stringify({ ...line, at: Number(process.hrtime.bigint()) }) + '\n');
}

const hex = (text) => Buffer.from(text).toString('hex');
const text = (digits) => Buffer.from(digits, 'hex').toString();

// told is an error as the other side reads it.
function told(err) {
  const out = { type: err?.constructor?.name ?? 'Error', message: String(err?.message ?? err) };
  const status = err?.getStatusCode?.();
  if (status >= 100) {
    out.http = status;
    out.body = JSON.stringify(err.getBody() ?? null);
  } else if (status > 0) {
    out.tlv = status; // of table 5-5
  }
  return out;
}

class Lost extends Error {}
class Late extends Error {}

const driver = {
  client: null,
  pairing: null,
  place: null, // address and port
  wanted: new Set(), // subscriptions that are to stand
  watched: new WeakSet(),
  closed: false,

  // discover looks with a browser that knows nothing yet.
  async discover({ accessory = '', sf, seconds }) {
    const want = accessory.toUpperCase();
    const discovery = new IPDiscovery();
    const seen = new Map();
    try {
      discovery.start();
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('seen: ' + JSON.stringify([...seen.values()]))), seconds * 1000 - 500);
        const look = (s) => {
          const service = { name: s.name, id: s.txt?.id ?? '', addresses: s.addresses ?? [], port: s.port, txt: s.txt ?? {} };
          seen.set(service.name, service);
          if (service.id && (!want || service.id === want) && (sf === undefined || service.txt.sf === sf)) {
            clearTimeout(timer);
            resolve(service);
          }
        };
        // The library leaves out some of the TXT record.
        discovery.browser.on('serviceUp', look);
        discovery.browser.on('serviceChanged', look);
        discovery.browser.on('error', reject);
      });
    } finally {
      discovery.stop();
    }
  },

  async pair({ accessory, addresses, port, ff, code }) {
    const client = new HttpClient(accessory, addresses[0], port);
    try {
      await client.pairSetup(code, await new IPDiscovery().getPairMethod({ ff }));
      const d = client.getLongTermData();
      const pairing = {
        accessory: text(d.AccessoryPairingID),
        accessoryKey: d.AccessoryLTPK,
        controller: text(d.iOSDevicePairingID),
        secret: d.iOSDeviceLTSK.slice(0, 64), // libsodium puts the public key behind it
        public: d.iOSDeviceLTPK,
      };
      await this.load({ pairing, addresses, port });
      return pairing;
    } finally {
      await client.close();
    }
  },

  async identify({ accessory, addresses, port }) {
    await new HttpClient(accessory, addresses[0], port).identify();
  },

  async new() {
    await sodium.ready;
    const key = sodium.crypto_sign_keypair();
    return { controller: randomUUID(), secret: Buffer.from(key.privateKey).toString('hex').slice(0, 64), public: Buffer.from(key.publicKey).toString('hex') };
  },

  // load takes a pairing. With same, events come on the connection that asks.
  async load({ pairing, addresses, port, same = false }) {
    this.closed = false;
    this.wanted.clear();
    this.pairing = pairing;
    this.client = new HttpClient(pairing.accessory, addresses[0], port, {
      AccessoryPairingID: hex(pairing.accessory),
      AccessoryLTPK: pairing.accessoryKey,
      iOSDevicePairingID: hex(pairing.controller),
      iOSDeviceLTSK: pairing.secret + pairing.public,
      iOSDeviceLTPK: pairing.public,
    }, { usePersistentConnections: true, subscriptionsUseSameConnection: same });
    const client = this.client;
    client.on('event', (e) => say({ event: e.characteristics ?? [] }));
    client.on('event-disconnect', () => {
      say({ gone: true });
      this.back(client);
    });
  },

  // back subscribes again after a connection was lost.
  async back(client) {
    await after(50); // the library forgets the subscriptions once it has told of their end
    for (let i = 0; i < 60 && client === this.client && !this.closed; i++) {
      try {
        await limited(2, client.subscribeCharacteristics([...this.wanted]));
        say({ here: true });
        return;
      } catch (err) {
        if (err?.getStatusCode?.() === 2) {
          return; // no longer paired
        }
        drop(client);
        await after(250);
      }
    }
  },

  // connected runs something on the connection, and ends with it.
  async connected(run) {
    const client = this.client;
    const connection = await client.getDefaultVerifiedConnection();
    let lost;
    const end = new Promise((_, reject) => {
      lost = () => reject(new Lost('the connection is lost'));
      connection.once('disconnect', lost);
    });
    if (!this.watched.has(connection)) {
      this.watched.add(connection);
      connection.once('disconnect', () => {
        if (client._defaultConnection === connection) {
          delete client._defaultConnection;
        }
        if (!client.getSubscribedCharacteristics().length && !this.closed) {
          say({ gone: true }); // else event-disconnect says it
        }
      });
    }
    try {
      return await Promise.race([run(connection, client), end]);
    } finally {
      connection.removeListener('disconnect', lost);
      end.catch(() => {});
    }
  },

  async accessories() {
    return (await this.connected((_, client) => client.getAccessories())).accessories;
  },

  async get({ ids, flags = [] }) {
    const options = Object.fromEntries((flags ?? []).map((f) => [f, true]));
    return (await this.connected((_, client) => client.getCharacteristics(ids.map((i) => i.join('.')), options))).characteristics;
  },

  async put({ writes, timed, response }) {
    if (timed) {
      return this.connected(async (connection) => {
        const pid = Math.floor(Math.random() * 2 ** 40);
        const prepared = await connection.put('/prepare', JSON.stringify({ ttl: timed, pid }));
        if (prepared.statusCode !== 200 || JSON.parse(prepared.body.toString()).status !== 0) {
          throw new Error(`prepare: ${prepared.statusCode} ${prepared.body}`);
        }
        const characteristics = response ? writes.map((w) => ({ ...w, r: true })) : writes;
        const done = await connection.put('/characteristics', JSON.stringify({ pid, characteristics }));
        return done.statusCode === 204 ? [] : JSON.parse(done.body.toString()).characteristics;
      });
    }
    const values = {};
    for (const w of writes) {
      values[`${w.aid}.${w.iid}`] = response ? { value: w.value, r: true } : w.value;
    }
    const done = (await this.connected((_, client) => client.setCharacteristics(values))).characteristics;
    return done.filter((row) => row.status !== undefined); // with 204 it gives back what it was asked
  },

  async subscribe({ ids }) {
    const names = ids.map((i) => i.join('.'));
    const subscribe = () => this.client.subscribeCharacteristics(names);
    const got = await (this.client.subscriptionsUseSameConnection ? this.connected(subscribe) : subscribe());
    names.forEach((n) => this.wanted.add(n));
    return got?.characteristics ?? [];
  },

  // unsubscribe does what the library's own leaves out.
  async unsubscribe({ ids }) {
    const connection = this.client.subscriptionConnection;
    const body = { characteristics: ids.map(([aid, iid]) => ({ aid, iid, ev: false })) };
    const done = await connection.put('/characteristics', JSON.stringify(body), 'application/hap+json', true);
    const names = ids.map((i) => i.join('.'));
    names.forEach((n) => this.wanted.delete(n));
    this.client.subscribedCharacteristics = this.client.subscribedCharacteristics.filter((n) => !names.includes(n));
    return done.statusCode === 204 ? [] : JSON.parse(done.body.toString()).characteristics;
  },

  async list() {
    const tlv = await this.connected((_, client) => client.listPairings());
    const all = (type) => [tlv.get(type) ?? []].flat();
    return all(0x01).map((name, i) => ({ controller: name.toString(), public: all(0x03)[i].toString('hex'), admin: (all(0x0b)[i][0] & 1) === 1 }));
  },

  async add({ controller, public: key, admin }) {
    await this.connected((_, client) => client.addPairing(controller, Buffer.from(key, 'hex'), admin));
  },

  async remove({ controller }) {
    await this.connected((_, client) => client.removePairing(Buffer.from(controller)));
  },

  async close() {
    this.closed = true;
    await this.client?.close();
    this.client = null;
  },
};

// drop lets go of connections on which somebody waits for ever, and behind him all others.
function drop(client) {
  if (!client) {
    return;
  }
  for (const c of [client._defaultConnection, client.subscriptionConnection, client._pairingConnection]) {
    c?.socket?.destroy();
  }
  delete client._defaultConnection;
  client.pairingQueue = new client.pairingQueue.constructor();
}

function limited(seconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Late(`no answer within ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

process.on('unhandledRejection', (err) => console.error('unhandled:', err));
const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const ask = JSON.parse(line);
  try {
    say({ id: ask.id, ok: (await limited(ask.seconds, driver[ask.do](ask))) ?? null });
  } catch (err) {
    if (err instanceof Late) {
      drop(driver.client);
    }
    say({ id: ask.id, error: told(err) });
  }
});
lines.on('close', () => process.exit(0));
say({ ready: true });
