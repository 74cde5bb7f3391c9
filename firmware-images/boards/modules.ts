/** Kernel modules by purpose; patterns of paths below `kernel/` (path.matchesGlob). */

/** Storage that a board may boot from. */
export const STORAGE = [
  'drivers/ata/{ahci,ata_piix,ata_generic,sata_*}.ko.xz',
  'drivers/block/{loop,virtio_blk}.ko.xz',
  'drivers/mmc/core/mmc_block.ko.xz',
  'drivers/mmc/host/sdhci-{acpi,pci}.ko.xz',
  'drivers/nvme/host/{nvme,nvme-core}.ko.xz',
  'drivers/scsi/{sd_mod,virtio_scsi,hv_storvsc,vmw_pvscsi}.ko.xz',
  'drivers/usb/host/*',
  'drivers/usb/storage/{usb-storage,uas}.ko.xz',
  'drivers/virtio/virtio_{pci,mmio}.ko.xz',
];

/** What may be found on a card. What the root itself wants is there before it. */
export const FILE_SYSTEMS = ['fs/{exfat,ext4,fat}/**', 'fs/quota/quota_{tree,v2}.ko.xz', 'fs/nls/nls_{ascii,cp437,iso8859-1,utf8}.ko.xz'];

const CHECKED = [
  'fs/erofs/**',
  'drivers/md/dm-{mod,verity}.ko.xz',
  'crypto/{crc32c_generic,sha256_generic}.ko.xz',
  // The same by what the processor has for it, several times as fast; newer kernels have them built in.
  'arch/arm64/crypto/{sha2-ce,sha256-arm64}.ko.xz',
  'arch/x86/crypto/sha256-ssse3.ko.xz',
];
/** What is read when a root is found damaged: which slots there are. */
const SLOTS = ['fs/fat/{fat,vfat}.ko.xz', 'fs/nls/nls_{ascii,cp437,utf8}.ko.xz'];

/** All that stands between a kernel, with what its machine boots from, and the root. */
export const FIRST = [...CHECKED, ...SLOTS];

/** Partitions: links, and what the filters say (runtime/adapters/partitions/filter.ts). */
export const PARTITIONS = [
  'drivers/net/veth.ko.xz',
  'net/netfilter/nf_{conntrack,nat,tables}.ko.xz',
  'net/netfilter/nft_{chain_nat,ct,fib,fib_inet,masq,nat,reject,reject_inet}.ko.xz',
  'net/ipv{4,6}/netfilter/nft_{fib,reject}_ipv{4,6}.ko.xz',
];

/** What a board has to do with the world. */
export const WORLD = [
  'drivers/gpio/gpio-{ich,pca953x}.ko.xz',
  'drivers/hid/{hid,hid-generic}.ko.xz',
  'drivers/hid/usbhid/usbhid.ko.xz',
  'drivers/hwmon/{coretemp,k10temp,nct6775,it87}.ko.xz',
  'drivers/i2c/{i2c-dev,i2c-smbus}.ko.xz',
  'drivers/i2c/busses/i2c-{i801,piix4,designware*}.ko.xz',
  'drivers/input/evdev.ko.xz',
  'drivers/char/hw_random/{virtio,intel,amd,via}-rng.ko.xz',
  'drivers/thermal/intel/x86_pkg_temp_thermal.ko.xz',
  'drivers/usb/class/cdc-acm.ko.xz',
  'drivers/usb/serial/{usbserial,cp210x,ftdi_sio,ch341,pl2303}.ko.xz',
  'drivers/watchdog/{iTCO_wdt,i6300esb,softdog,sp5100_tco}.ko.xz',
  'drivers/w1/masters/ds2490.ko.xz',
  'drivers/w1/slaves/w1_therm.ko.xz',
];

/** Wired networks of machines that people have at home or rent. */
export const ETHERNET = [
  'drivers/net/{virtio_net,net_failover}.ko.xz',
  'drivers/net/hyperv/*',
  'drivers/net/vmxnet3/*',
  'drivers/net/phy/*',
  'drivers/net/usb/{asix,ax88179_178a,cdc_ether,cdc_ncm,r8152,rndis_host,smsc75xx,smsc95xx,lan78xx,usbnet}.ko.xz',
  'drivers/net/ethernet/{amazon,atheros,broadcom/tg3,realtek}/**',
  'drivers/net/ethernet/broadcom/tg3.ko.xz',
  'drivers/net/ethernet/intel/{e1000,e1000e,igb,igc}/**',
];
