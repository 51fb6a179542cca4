/** Counters, gauges and histograms; what everything means is in metrics.d.ts. */

import gateway from "#gateway/metrics";
import { calling } from "./gateway.js";

const call = calling({ "too-many": "the policy has 32 metrics already" });
/** Beyond so many, the gateway has no series of their own for them. */
const SERIES = 100;

class Series {
  #number;

  constructor(number) {
    this.#number = number;
  }

  add(amount = 1) {
    gateway.add(this.#number, BigInt(amount));
  }

  set(value) {
    gateway.set(this.#number, value);
  }

  adjust(by) {
    gateway.adjust(this.#number, by);
  }

  observe(value) {
    gateway.observe(this.#number, value);
  }
}

class Metric {
  #metric;
  #known = new Map();

  constructor(metric) {
    this.#metric = metric;
  }

  of(...values) {
    const key = values.join("\0");
    let series = this.#known.get(key);
    if (!series) {
      series = new Series(gateway.get(this.#metric, values));
      if (this.#known.size < SERIES) this.#known.set(key, series);
    }
    return series;
  }

  add(amount) {
    this.of().add(amount);
  }

  set(value) {
    this.of().set(value);
  }

  adjust(by) {
    this.of().adjust(by);
  }

  observe(value) {
    this.of().observe(value);
  }
}

const define = (kind) => (name, help, { labels = [], buckets = [] } = {}) =>
  new Metric(call(gateway.define, { kind, name, help, labels, buckets }));

export const counter = define("counter");
export const gauge = define("gauge");
export const histogram = define("histogram");
