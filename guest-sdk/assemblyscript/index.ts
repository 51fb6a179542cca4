/** Filters for the Tollgate gateway in AssemblyScript. What a filter is made of: a class that extends `Filter`, and `install`. */

export * from "./answer";
export * from "./callout";
export * from "./filter";
export * from "./json";
export * from "./message";
export * from "./offers";
export * from "./sha256";
export * from "./store";
export { bytesOf, isUtf8 } from "./text";
