"""Load and latency of Understudy beside servers that do the same work, in one run.

``python -m benchmarks`` starts each server as it would be started in earnest, checks that it
answers right, loads it with ``wrk``, and prints a table. How to read the table:

- **Ratios, not numbers.** Requests per second say as much of the machine and its neighbours as of
  the server. Servers take turns within a round, so a ratio compares two measurements that were
  taken seconds apart; what is printed is the median of the rounds' ratios, with the smallest and
  the largest behind it. Where those two lie far apart, the machine was busy and the median means
  little.
- **Peers** (mosec, Triton) have environments of their own, in the folder that ``--peers`` names.
  Where one is missing, its server is named as not run. They serve the two dense networks alone.
- **CPU per request** is the processor time of the server's whole process tree, in user and kernel
  mode, over the requests that it answered. It is the steadiest figure here: waiting for a
  processor does not count. ``wrk`` and other servers are not in it.
- **p50 and p99** are wrk's, in milliseconds, corrected by wrk for the requests that a slow answer
  kept it from sending. The load is closed: each connection sends its next request when it has
  its answer, so latency is mostly the number of connections divided by requests per second.
- **Errors** are answers with a status above 399, and connections that failed or timed out. What
  had errors is not to be compared: an error is often answered faster than a prediction.
- **Memory** is the proportional set size (PSS) of the process tree, measured while no other server
  runs, since servers share the pages of TensorFlow's library: a page that several processes share
  counts once in total.
- **Elsewhere** is the share of the machine's processor time that went neither to the server nor
  to wrk while it was measured. Above a few per cent, run again.
"""
