/**
 * What the dev engine asks of the shell, whole and constant: whatever varies is an argument, never text of a script.
 * util-linux and a POSIX shell are all it needs; Debian has both on every system.
 */

/**
 * The reaper: outlives the runtime, writes the exit file (status, then the shell's `times`) whole or not at all, and
 * keeps the last of what the instance says (unbuffered: it is read as it comes), in numbered files of which each but the newest is full. Its stdout is a pipe: a
 * workload can open a file again through /proc/self/fd and fill the disk with it.
 *
 * $1 exit file, $2 log file, $3 bytes of each, then the command.
 */
export const REAPER = `
exit_file=$1 log_file=$2 log_bytes=$3
shift 3
{
  read -r self < /proc/self/stat
  echo "reaper $self" >&3
  "$@"
  status=$?
  exec 3>&-
  { echo $status; times; } > "$exit_file.next"
  mv "$exit_file.next" "$exit_file"
} 2>&1 < /dev/null | {
  exec 3>&-
  part=0
  while stdbuf -o0 head -c "$log_bytes" > "$log_file.$part" && [ "$(stat -c %s "$log_file.$part")" -eq "$log_bytes" ]; do
    [ "$part" -eq 0 ] || rm -f "$log_file.$((part - 1))"
    part=$((part + 1))
  done
}
`;

/**
 * Runs as the first process of the new namespaces and becomes the workload. /proc is still the board's here, so it
 * shows this shell as the board sees it; number and start time stay when it becomes the workload.
 *
 * $1 root, $2 mount point, $3 data, $4 what it is given, $5 size of /tmp in MiB, $6 address or "", $7 binds as
 * "source:target" lines, then the command.
 */
export const INSIDE = `
set -e
read -r self < /proc/self/stat
root=$1 at=$2 data=$3 given=$4 tmp=$5 address=$6 binds=$7
shift 7
if [ -n "$address" ]; then
  ip link set lo up
  ip -6 addr add "$address/128" dev lo nodad
fi
mount --rbind "$root" "$at"
mount -o remount,bind,ro "$at"
mount -t proc -o nosuid,nodev,noexec proc "$at/proc"
mount -t tmpfs -o "nosuid,nodev,size=\${tmp}m,mode=1777" tmpfs "$at/tmp"
mount -t tmpfs -o nosuid,noexec,size=64k,mode=755 tmpfs "$at/dev"
mkdir "$at/dev/shm"
mount -t tmpfs -o "nosuid,nodev,noexec,size=\${tmp}m,mode=1777" shm "$at/dev/shm"
for device in null zero full random urandom; do
  : > "$at/dev/$device"
  mount --bind "/dev/$device" "$at/dev/$device"
done
mount --bind "$data" "$at/data"
mount -o remount,bind,nosuid,nodev "$at/data"
mount --bind "$given" "$at/run/lichen"
mount -o remount,bind,ro,nosuid,nodev,noexec "$at/run/lichen"
mount -t tmpfs -o nosuid,nodev,noexec,size=64k,nr_inodes=64,mode=1777 tmpfs "$at/run/lichen/out"
echo "$binds" | while IFS=: read -r source target; do
  [ -n "$source" ] || continue
  mount --bind "$source" "$at$target"
  mount -o remount,bind,ro "$at$target"
done
cd /
echo "first $self" >&3
exec 3>&-
exec "$@"
`;

/**
 * A network probe, asked by a Node that has entered the instance's network namespace: nobody else can reach it there.
 * Same rules as probe.ts; argument: JSON of address, probe, timeoutMs.
 */
export const ASK = `
const { address, probe, timeoutMs } = JSON.parse(process.argv[1]);
const end = (ok, detail) => { process.stdout.write(detail, () => process.exit(ok ? 0 : 1)); };
setTimeout(() => end(false, 'no answer in ' + timeoutMs + ' ms'), timeoutMs);
const asked = probe.kind === 'http'
  ? require('node:http').get({ host: address, port: probe.port, path: probe.path, agent: false }, ({ statusCode }) =>
      end(statusCode >= 200 && statusCode < 300, 'status ' + statusCode))
  : require('node:net').connect({ host: address, port: probe.port }, () => end(true, 'connected'));
asked.on('error', (error) => end(false, error.message));
`;
