#!/bin/sh
# The floor: what a start and a stop cost when nothing but a shell loop does them, with crun, conmon, the very config.json
# and the network namespace that the runtime would use. Reads a word a line (start, stop), answers with a line.
#   $1 name  $2 bundle directory  $3 run directory  $4 cgroup path  $5 trees (space-separated)  $6 cpu tree  $7 address  $8... crun --root DIRECTORY
name=$1 bundle=$2 run=$3 group=$4 trees=$5 cpu=$6 address=$7
shift 7
link=fl${name%"${name#????????}"}

# A process that has ended and waits for whoever inherited it to ask is over.
runs() {
  read -r _ _ state _ 2> /dev/null < "/proc/$1/stat" && [ "$state" != Z ]
}

network() {
  : > "$run/net"
  unshare --net="$run/net" sh -c 'printf %s "$0" | ip -6 -batch -' "link set lo up
link add eth0 type veth peer name $link netns $$
addr add $address/128 dev eth0 nodad
link set eth0 up
route add fe80::1 dev eth0
route add default via fe80::1 dev eth0
"
  printf '%s\n' "addr add fe80::1/64 dev $link nodad" "link set $link up" "route add $address/128 dev $link" | ip -6 -batch -
}

start() {
  for tree in $trees; do mkdir -p "$tree/$group/c" "$tree/$group/m"; done
  if [ -e "$cpu/$group/cpu.max" ]; then echo '100000 100000' > "$cpu/$group/cpu.max"; else echo 100000 > "$cpu/$group/cpu.cfs_quota_us"; fi
  network
  _OCI_SYNCPIPE=3 conmon --cid "$name" --cuuid "$name" --name "$name" --bundle "$bundle" --persist-dir "$bundle" --exit-dir "$run/exits" \
    --socket-dir-path "$run" --conmon-pidfile "$run/pid" --container-pidfile "$run/container" --log-path "k8s-file:$run/log" --no-sync-log --no-new-keyring \
    --runtime "$1" --runtime-arg "$2" --runtime-arg "$3" > /dev/null 2>&1
  # It says on that descriptor when the container is there.
  read -r made <&3
  cat "$run/pid" > "$cpu/$group/m/cgroup.procs"
  "$@" start "$name"
}

stop() {
  "$@" kill "$name" KILL
  while [ ! -e "$run/exits/$name" ]; do sleep 0.001; done
  "$@" delete -f "$name"
  rm -f "$run/exits/$name"
  ip link del "$link"
  umount "$run/net"
  reaper=$(cat "$run/pid")
  while runs "$reaper"; do sleep 0.001; done
  for tree in $trees; do rmdir "$tree/$group/c" "$tree/$group/m" "$tree/$group" 2> /dev/null; done
}

mkfifo "$run/sync"
exec 3<> "$run/sync"
while read -r what; do
  "$what" "$@" >&2
  echo "$what done"
done
