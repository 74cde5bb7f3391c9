import type { Board } from './board.ts';
import { FILE_SYSTEMS, FIRST, PARTITIONS } from './modules.ts';
import { raspberryPi } from './raspberry-pi.ts';
import { BROADCOM, REGULATORY, WIFI_PROGRAMS } from './wifi.ts';

/** Cards, drives at USB (and at PCIe on the 5), and what stands before them. */
const STORAGE = [
  'drivers/block/loop.ko.xz',
  'drivers/mmc/core/mmc_block.ko.xz',
  'drivers/mmc/host/{bcm2835,sdhci-iproc,sdhci-brcmstb}.ko.xz',
  'drivers/nvme/host/{nvme,nvme-core}.ko.xz',
  'drivers/irqchip/irq-bcm2712-mip.ko.xz',
  'drivers/clk/clk-rp1.ko.xz',
  'drivers/misc/rp1/*',
  'drivers/pinctrl/pinctrl-rp1.ko.xz',
  'drivers/pinctrl/bcm/*',
  'drivers/regulator/{fixed,gpio-regulator}.ko.xz',
  'drivers/reset/reset-raspberrypi.ko.xz',
  'drivers/scsi/sd_mod.ko.xz',
  'drivers/usb/dwc2/*',
  'drivers/usb/dwc3/dwc3.ko.xz',
  'drivers/usb/host/xhci-{hcd,pci,plat-hcd}.ko.xz',
  'drivers/usb/phy/phy-generic.ko.xz',
  'drivers/usb/storage/{usb-storage,uas}.ko.xz',
];

const WIRED = [
  'drivers/net/ethernet/broadcom/genet/*',
  'drivers/net/ethernet/cadence/macb.ko.xz',
  'drivers/net/mdio/mdio-bcm-unimac.ko.xz',
  'drivers/net/phy/{bcm-phy-lib,broadcom,microchip,smsc}.ko.xz',
  'drivers/net/usb/{asix,ax88179_178a,cdc_ether,cdc_ncm,r8152,rndis_host,smsc95xx,lan78xx,usbnet}.ko.xz',
];

const WIRELESS = ['drivers/net/wireless/broadcom/brcm80211/brcmfmac/**', 'net/wireless/*'];

const WORLD = [
  'drivers/char/hw_random/{bcm2835-rng,iproc-rng200}.ko.xz',
  'drivers/cpufreq/raspberrypi-cpufreq.ko.xz',
  'drivers/gpio/{gpio-brcmstb,gpio-pca953x}.ko.xz',
  'drivers/gpu/drm/vc4/*',
  'drivers/hid/{hid,hid-generic}.ko.xz',
  'drivers/hid/usbhid/usbhid.ko.xz',
  // Says that the voltage was too low.
  'drivers/hwmon/raspberrypi-hwmon.ko.xz',
  'drivers/i2c/{i2c-dev,i2c-smbus}.ko.xz',
  'drivers/i2c/busses/{i2c-bcm2835,i2c-designware*}.ko.xz',
  'drivers/input/evdev.ko.xz',
  'drivers/rtc/{rtc-ds1307,rtc-pcf8523,rtc-rpi}.ko.xz',
  'drivers/spi/{spi-bcm2835,spi-bcm2835aux,spi-dw*,spidev}.ko.xz',
  'drivers/thermal/broadcom/*',
  'drivers/usb/class/cdc-acm.ko.xz',
  'drivers/usb/serial/{usbserial,cp210x,ftdi_sio,ch341,pl2303}.ko.xz',
  'drivers/w1/masters/{ds2490,w1-gpio}.ko.xz',
  'drivers/w1/slaves/w1_therm.ko.xz',
  'drivers/watchdog/bcm2835_wdt.ko.xz',
];

/** `imager.devices` of https://downloads.raspberrypi.com/os_list_imagingutility_v4.json: a Zero 2 W has the tags of a 3. This image starts none of the 32-bit kind. */
const IMAGER_DEVICES = [
  { name: 'Raspberry Pi 5', description: 'Its system cannot be updated yet', tags: ['pi5-64bit'] },
  { name: 'Raspberry Pi 4', description: 'Model B', tags: ['pi4-64bit'] },
  { name: 'Raspberry Pi 3', description: 'Models B and B+', tags: ['pi3-64bit'] },
  { name: 'Raspberry Pi Zero 2 W', description: 'Wi-Fi, and no network by cable', tags: ['pi3-64bit'] },
];

export const pi: Board = {
  name: 'pi',
  also: ['pi-zero-2w', 'pi-3b', 'pi-4b', 'pi-5'],
  says: 'Raspberry Pi Zero 2 W, 3 B, 3 B+, 4 B and 5',
  arch: 'arm64',
  debianArch: 'arm64',
  // The stable suite's kernel finds no card on a 5.
  kernel: 'linux-image-arm64/trixie-backports',
  sources: ['trixie non-free-firmware', 'trixie-backports main'],
  firmware: raspberryPi,
  programs: WIFI_PROGRAMS,
  files: [...REGULATORY, ...BROADCOM],
  // The pins of the 3 and 4 are the second serial line, the socket beside the HDMI of the 5 is another; which are there the kernel knows.
  commandLine: ['console=ttyAMA10,115200', 'console=ttyS1,115200', 'console=tty0', 'panic=10', 'loglevel=4'],
  imagerDevices: IMAGER_DEVICES,
  modules: [...STORAGE, ...FILE_SYSTEMS, ...PARTITIONS, ...WIRED, ...WIRELESS, ...WORLD, 'crypto/{crc32c_generic,sha256_generic}.ko.xz'],
  earlyModules: [...STORAGE, ...FIRST, 'drivers/watchdog/bcm2835_wdt.ko.xz'],
};
