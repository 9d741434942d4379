// Sends one file's bytes as a POST at a constant rate, whatever the answers, and prints what was
// measured as JSON. What no virtual user is free to send is dropped, and counted.

import http from "k6/http";

const body = open(__ENV.BODY, "b");
const options_ = { headers: { "Content-Type": "application/json" } };

export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ["med", "p(99)"],
  scenarios: {
    load: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE),
      timeUnit: "1s",
      duration: `${__ENV.SECONDS}s`,
      preAllocatedVUs: Number(__ENV.USERS),
      maxVUs: Number(__ENV.USERS),
      gracefulStop: "5s",
    },
  },
};

export default function () {
  http.post(__ENV.URL, body, options_);
}

export function handleSummary(data) {
  const of = (metric, value) => (data.metrics[metric] ? data.metrics[metric].values[value] : 0);
  const measured = {
    requests: of("http_reqs", "count"),
    p50_ms: of("http_req_duration", "med"),
    p99_ms: of("http_req_duration", "p(99)"),
    dropped: of("dropped_iterations", "count"),
    failed: of("http_req_failed", "passes"),
  };
  return { stdout: `MEASURED ${JSON.stringify(measured)}\n` };
}
