# Trial division by the primes found so far. Prints "counting COUNT UPTO" now and then, and "done COUNT LIMIT" at the end.
BEGIN {
  if (limit >= 2) { count = 1; prime[1] = 2 }
  step = int(limit / 20) + 1
  next_word = step
  for (n = 3; n <= limit; n += 2) {
    is_prime = 1
    for (i = 2; i <= count && prime[i] * prime[i] <= n; i++)
      if (n % prime[i] == 0) { is_prime = 0; break }
    if (is_prime) prime[++count] = n
    if (n >= next_word) {
      print "counting", count, n
      fflush()
      next_word += step
    }
  }
  print "done", count + 0, limit
}
