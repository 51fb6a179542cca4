/** Counters, gauges and histograms on the gateway's `/metrics`. Needs `"metrics"` among the imports of manifest.json. Define them in the
 *  constructor of the filter, and keep them. What cannot be defined throws a `GatewayError`: `invalid`, `conflict` or `too-many`. */

/** A metric with values for its labels, or one without labels. */
export interface Series {
  /** Adds to a counter, 1 unless another amount is given. */
  add(amount?: number): void;
  /** Sets a gauge. */
  set(value: number): void;
  /** Changes a gauge by an amount, which may be negative. */
  adjust(by: number): void;
  /** Adds a value to a histogram. */
  observe(value: number): void;
}

export interface Metric extends Series {
  /** The series with these values, in the order of the labels. */
  of(...values: string[]): Series;
}

/** What only grows; its name ends in `_total`. */
export function counter(name: string, help: string, more?: { labels?: string[] }): Metric;
/** What goes up and down. */
export function gauge(name: string, help: string, more?: { labels?: string[] }): Metric;
/** How often values were within bounds; without `buckets` the usual ones, from 0.0005 to 10. */
export function histogram(name: string, help: string, more?: { labels?: string[]; buckets?: number[] }): Metric;
