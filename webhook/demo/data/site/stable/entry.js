export { start } from "./assets/app-A7IWAWBX.js";
