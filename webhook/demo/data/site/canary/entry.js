export { start } from "./assets/app-JCHOQMPO.js";
