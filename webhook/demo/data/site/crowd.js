/** Asks for every scenario's number twice a second, and colours its visitors by it. */
import { bucketOf } from "./bucket.js";

const VISITORS = 200;
const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

const numbers = async () => (await fetch("/numbers.json", { cache: "no-store" })).json();

const crowd = (name) => {
  const squares = Array.from({ length: VISITORS }, () => element("i", {}));
  const share = element("b", { textContent: "…" });
  const title = element("h2", { title: name }, element("span", { textContent: name }), share);
  const visitors = element("div", { className: "visitors" }, ...squares);
  document.getElementById("crowds").append(element("div", { id: name }, title, visitors));
  return ({ CANARY_PERCENTAGE, CANARY_RELEASE }) => {
    share.textContent = `${CANARY_PERCENTAGE}\u00a0%`;
    squares.forEach((square, visitor) => {
      const bucket = bucketOf(`visitor ${visitor}`, CANARY_RELEASE);
      square.className = bucket < CANARY_PERCENTAGE * 100 ? "canary" : "";
    });
  };
};

const which = document.getElementById("which");
const shop = document.getElementById("shop");
const visit = () => (shop.src = `/shop/${which.value}`);

const names = Object.keys(await numbers());
const crowds = new Map(names.map((name) => [name, crowd(name)]));
which.append(...names.map((name) => element("option", { textContent: name })));
which.value = names.includes("success") ? "success" : names[0];
which.onchange = visit;

/** Until nobody answers any more; then what was seen last stays. */
for (let turn = 0; ; turn++) {
  const found = await numbers().catch(() => undefined);
  if (!found) break;
  for (const [name, number] of Object.entries(found)) crowds.get(name)(number);
  if (turn % 6 == 0) visit();
  await new Promise((resolve) => setTimeout(resolve, 500));
}
document.getElementById("over").textContent = "The demo is over; these are its last numbers.";
