// The flags of a plan that the page has a field for, from the core's table: flag, its name without dashes; key, in the
// address; isCount, a whole number of at least 1.
import table from "flags.json";

// What is the page's own. start: what the page starts with; isNeeded: empty is an error, not the default;
// needsGpu: it says nothing without a GPU.
const OWN = {
  seq: { start: "1000", isNeeded: true },
  users: { start: "20", isNeeded: true },
  gpu: { start: "h100-80gb" },
  gpus: { start: "4", needsGpu: true },
  engine: { start: "architecture" },
  "kv-dtype": { start: "auto" },
  "weight-dtype": { start: "auto" },
};

export const FLAGS = table.map((field) => ({ ...field, ...OWN[field.flag] }));
