"""A HomeKit bridge of HAP-python with colour lamps: happython.py LAMPS PORT CODE FOLDER NAME"""

import os
import signal
import sys

from pyhap.accessory import Accessory, Bridge
from pyhap.accessory_driver import AccessoryDriver
from pyhap.const import CATEGORY_LIGHTBULB

lamps, port, code, folder, name = sys.argv[1:]


class Lamp(Accessory):
    """A lamp that does nothing."""

    category = CATEGORY_LIGHTBULB

    def __init__(self, driver, display_name, **kwargs):
        super().__init__(driver, display_name, **kwargs)
        self.set_info_service("1.0", "twinbridge", "lamp", display_name)
        service = self.add_preload_service("Lightbulb", chars=["On", "Brightness", "Hue", "Saturation"])
        for char in ("On", "Brightness", "Hue", "Saturation"):
            service.configure_char(char, setter_callback=lambda value: None)


driver = AccessoryDriver(
    port=int(port),
    listen_address="0.0.0.0",
    persist_file=os.path.join(folder, "accessory.state"),
    pincode=code.encode(),
    mac="C2:22:3D:E3:CE:F7",
)
bridge = Bridge(driver, name)
bridge.set_info_service("1.0", "twinbridge", "bridge", "bridge")
for i in range(int(lamps)):
    bridge.add_accessory(Lamp(driver, f"lamp{i}", aid=i + 2))
driver.add_accessory(bridge)
signal.signal(signal.SIGINT, driver.signal_handler)
signal.signal(signal.SIGTERM, driver.signal_handler)
driver.start()
