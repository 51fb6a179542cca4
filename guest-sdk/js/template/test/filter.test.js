import assert from "node:assert";
import { test } from "node:test";
import { TestGateway } from "tollgate-filter/testing";
import Stamp from "../src/filter.js";

test("only requests without a stamp get one", () => {
  const gateway = new TestGateway(Stamp, { value: "new" });
  assert.equal(gateway.request().forwarded["x-stamp"], "new");
  assert.equal(gateway.request({ fields: { "x-stamp": "old" } }).forwarded["x-stamp"], "old");
});
