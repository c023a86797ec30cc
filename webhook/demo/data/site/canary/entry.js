export { start } from "./assets/app-G5C37YSO.js";
