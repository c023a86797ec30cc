export { start } from "./assets/app-MURKTAKK.js";
