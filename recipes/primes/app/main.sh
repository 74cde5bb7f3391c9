# Counts in the background, serves what is known so far, and goes on serving when the count is done.
# The root holds nothing but busybox and this directory, so every program is called by its full name.
set -u
bb=/bin/busybox
www=/tmp/www
limit=${LICHEN_LIMIT:-400000}
seconds=${LICHEN_SECONDS:-60}

for number in "$limit" "$seconds"; do
  case $number in
    '' | 0* | *[!0-9]* | ?????????*)
      echo "limit and seconds are numbers from 1 to 99999999, not \"$number\"" >&2
      exit 64
      ;;
  esac
done

# page STATE COUNT UPTO: written beside and renamed, so that nobody is served half of one.
page() {
  refresh=
  [ "$1" = counting ] && refresh='<meta http-equiv="refresh" content="1">'
  $bb cat >"$www/.draft" <<END
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
$refresh
<title>primes</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
#count { font-size: 4rem; line-height: 1.1; margin: 0 }
</style>
<h1>primes</h1>
<p id="count">$2</p>
<p>primes up to $3 of $limit: <span id="state">$1</span></p>
<progress max="$limit" value="$3">$3 of $limit</progress>
</html>
END
  $bb mv "$www/.draft" "$www/index.html"
}

# The bound on CPU time is the kernel's (RLIMIT_CPU, setrlimit(2)): it holds however slow or busy the board is.
count() {
  ulimit -t "$seconds"
  exec $bb awk -v limit="$limit" -f /app/primes.awk
}

# Lines of primes.awk. At the end of its input `read` empties its variables, so what was last said is kept.
show() {
  last='stopped 0 0'
  while read -r state found upto; do
    page "$state" "$found" "$upto"
    last="$state $found $upto"
  done
  set -- $last
  [ "$1" = done ] || page "stopped at $seconds s of CPU" "$2" "$3"
  # /data outlives the instance. Where nobody gave it one, the page has to do.
  [ -w /data ] && echo "$2 primes up to $3 of $limit" >/data/result.txt
}

$bb mkdir -p "$www" || exit 73
page counting 0 0
count | show &

# This shell stays: as the first process of its namespace it must take SIGTERM by itself, and gather what ends.
$bb httpd -f -p '[::]:8080' -h "$www" &
server=$!
trap 'kill $server; exit 0' TERM INT
wait $server
