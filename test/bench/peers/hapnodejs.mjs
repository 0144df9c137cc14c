// A HomeKit bridge of HAP-NodeJS with colour lamps: node hapnodejs.mjs LAMPS PORT CODE FOLDER NAME
import hap from "hap-nodejs";

const { Accessory, Bridge, Categories, Characteristic, HAPStorage, MDNSAdvertiser, Service, uuid } = hap;
const [lamps, port, code, folder, name] = process.argv.slice(2);

HAPStorage.setCustomStoragePath(folder);

function about(accessory, serial) {
  accessory
    .getService(Service.AccessoryInformation)
    .setCharacteristic(Characteristic.Manufacturer, "twinbridge")
    .setCharacteristic(Characteristic.Model, "lamp")
    .setCharacteristic(Characteristic.SerialNumber, serial)
    .setCharacteristic(Characteristic.FirmwareRevision, "1.0");
}

const bridge = new Bridge(name, uuid.generate(name));
about(bridge, "bridge");
for (let i = 0; i < Number(lamps); i++) {
  const lamp = new Accessory(`lamp${i}`, uuid.generate(`lamp${i}`));
  about(lamp, `lamp${i}`);
  const service = lamp.addService(Service.Lightbulb, `lamp${i}`);
  for (const type of ["On", "Brightness", "Hue", "Saturation"]) {
    service.getCharacteristic(Characteristic[type]).onSet(() => {});
  }
  bridge.addBridgedAccessory(lamp);
}

process.on("SIGINT", () => {
  bridge.unpublish().finally(() => process.exit(0));
});

await bridge.publish({
  username: "C2:22:3D:E3:CE:F6",
  pincode: code,
  port: Number(port),
  category: Categories.BRIDGE,
  advertiser: MDNSAdvertiser.CIAO,
});
