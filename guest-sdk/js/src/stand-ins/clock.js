import { standIn } from "../stand-in.js";

export default standIn("clock");
