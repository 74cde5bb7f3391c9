# Between the firmware of a Pi and a kernel: which slot is started. Of what U-Boot knows it uses what a shell has as well, in which it is tested.
# How the two slots stand is said by empty files in lichen/slots (runtime/adapters/slots/u-boot.ts).
# Where things go: up to 62 MiB of kernel, then the tables as the firmware has left them, with room for what is said to the kernel.
setenv linux_at 0x200000
setenv tables_at 0x4000000
setenv entry_at 0x4100000
setenv sum_at 0x4200000
setenv first_at 0x4400000

# Starts ${slot}, or comes back if the card does not hold what was put there.
setenv start '
setenv words
setenv linux_sum
setenv first_sum
if load ${devtype} ${devnum}:${distro_bootpart} ${entry_at} /lichen/${slot}/entry.txt; then
  env import -t ${entry_at} ${filesize} words linux_sum first_sum
fi
if load ${devtype} ${devnum}:${distro_bootpart} ${linux_at} /lichen/${slot}/linux; then
  crc32 ${linux_at} ${filesize} ${sum_at}
  if itest *${sum_at} == ${linux_sum}; then
    if load ${devtype} ${devnum}:${distro_bootpart} ${first_at} /lichen/${slot}/first; then
      crc32 ${first_at} ${filesize} ${sum_at}
      if itest *${sum_at} == ${first_sum}; then
        setenv given
        fdt addr ${fdt_addr}
        fdt get value given /chosen bootargs
        fdt move ${fdt_addr} ${tables_at} 0x40000
        setenv bootargs "${given} lichen.loader=u-boot lichen.slot=${slot} ${words}"
        setenv fdt_high ffffffffffffffff
        setenv initrd_high ffffffffffffffff
        echo "lichen: U-Boot starts slot ${slot}"
        booti ${linux_at} ${first_at}:${filesize} ${tables_at}
      fi
    fi
  fi
fi
echo "lichen: slot ${slot} is not what was put there"
'

# On trial: one try less before each start, and none where that cannot be written.
for slot in a b; do
  for try in 3 2 1; do
    if test -e ${devtype} ${devnum}:${distro_bootpart} /lichen/slots/${slot}${try}; then
      if fatrm ${devtype} ${devnum}:${distro_bootpart} /lichen/slots/${slot}${try}; then
        run start
      fi
    fi
  done
done

# What was kept, in its order. If nothing says so any more, whichever is whole.
setenv order "a b"
for kept in b a ba ab; do
  if test -e ${devtype} ${devnum}:${distro_bootpart} /lichen/slots/${kept}; then
    setenv order ${kept}
  fi
done
if test "${order}" = "ab"; then setenv order "a b"; fi
if test "${order}" = "ba"; then setenv order "b a"; fi
for slot in ${order}; do
  run start
done
echo "lichen: there is no slot that can be started"
sleep 30
reset
