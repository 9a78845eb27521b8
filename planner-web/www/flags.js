// The flags of a plan that the page asks for, in the order of its command line.
//
// flag: its name, without dashes; key: in the address; start: what the page starts with, if anything;
// isCount: a whole number of at least 1; isNeeded: empty is an error, not the default;
// needsGpu: it says nothing without a GPU.

export const FLAGS = [
  { flag: "seq", key: "s", start: "1000", isCount: true, isNeeded: true },
  { flag: "users", key: "u", start: "20", isCount: true, isNeeded: true },
  { flag: "gpu", key: "g", start: "h100-80gb" },
  { flag: "gpus", key: "n", start: "4", isCount: true, needsGpu: true },
  { flag: "tp", key: "tp", isCount: true },
  { flag: "pp", key: "pp", isCount: true },
  { flag: "engine", key: "e", start: "architecture" },
  { flag: "kv-dtype", key: "k", start: "auto" },
  { flag: "weight-dtype", key: "w", start: "auto" },
  { flag: "kv-heads", key: "kh", isCount: true },
  { flag: "memory-utilization", key: "mu" },
  { flag: "reserve", key: "rs" },
  { flag: "block-size", key: "bs", isCount: true },
  { flag: "max-num-batched-tokens", key: "bt", isCount: true },
];
