// A foreign accessory, on which the tests themselves are tried: a bridge of HAP-NodeJS with dimmable lamps. It is told by
// HOUSE what it is, and by lines of JSON what happens in the room:
//
//   {"id": 1, "do": "set", "lamp": 1, "on": true}    somebody presses the switch
//   {"id": 2, "do": "see", "lamp": 1}                {"id": 2, "ok": {"on": true, "writes": 3}}
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

console.log = console.error;
const require = createRequire(import.meta.url);
const { Accessory, Bridge, Categories, Characteristic, HAPStorage, Service, uuid } = require('hap-nodejs');

const house = JSON.parse(process.env.HOUSE);
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

HAPStorage.setCustomStoragePath(house.data);
const describe = (accessory, serial) => accessory.getService(Service.AccessoryInformation)
  .setCharacteristic(Characteristic.Manufacturer, 'Nobody')
  .setCharacteristic(Characteristic.Model, 'Lamp')
  .setCharacteristic(Characteristic.SerialNumber, serial)
  .setCharacteristic(Characteristic.FirmwareRevision, '1.0.0');

const bridge = new Bridge(house.name, uuid.generate('bridge'));
describe(bridge, 'bridge-0');
const lamps = house.lamps.map((name, i) => {
  const lamp = new Accessory(name, uuid.generate('lamp ' + i));
  describe(lamp, 'lamp-' + i);
  const bulb = lamp.addService(Service.Lightbulb, name);
  const state = { bulb, on: false, brightness: 100, writes: 0 };
  bulb.getCharacteristic(Characteristic.On)
    .onGet(() => state.on)
    .onSet((on) => {
      state.on = Boolean(on);
      state.writes++;
    });
  bulb.getCharacteristic(Characteristic.Brightness)
    .onGet(() => state.brightness)
    .onSet((brightness) => {
      state.brightness = brightness;
    });
  bridge.addBridgedAccessory(lamp);
  return state;
});

const acts = {
  set({ lamp, on }) {
    const l = lamps[lamp - 1];
    l.on = on;
    l.bulb.updateCharacteristic(Characteristic.On, on);
    return null;
  },
  see({ lamp }) {
    const { on, writes } = lamps[lamp - 1];
    return { on, writes };
  },
};

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const ask = JSON.parse(line);
  say({ id: ask.id, ok: acts[ask.do](ask) });
});
lines.on('close', () => process.exit(0));
process.on('SIGTERM', async () => {
  await bridge.unpublish();
  process.exit(0);
});

bridge.on('listening', (port) => say({ ready: true, port }));
await bridge.publish({
  username: house.id, pincode: house.code, setupID: house.setupID, category: Categories.BRIDGE, port: house.port,
  // It reads the name of a veth's end wrongly if it has to find it itself.
  bind: [house.link],
});
