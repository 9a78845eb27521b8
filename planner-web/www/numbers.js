// Numbers as text.

import { planner } from "./planner.js";

/** Digits in groups of three; takes numbers and decimal strings alike. */
export function count(n) {
  if (n === null || n === undefined) return "–";
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

export const exact = (bytes) => `${count(bytes)} B`;

/** Bytes in a binary unit, by the command line's own rule: 6.1 GiB. */
export const size = (bytes) => (bytes === null || bytes === undefined ? "–" : planner.human_bytes(BigInt(bytes)));
