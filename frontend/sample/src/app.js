/**
 * The sample shop. Both builds are made of this file, each with an edition of its own, which stands
 * for what a release changes.
 */
import { edition } from "#edition";
import { element } from "./element.js";

const why = ({ cohort, reason, share, bucket, release }) =>
  `You are on ${cohort} (${reason}) · share ${share}\u00a0% · bucket ${bucket} · ${release ? `release ${release}` : "no release name"}`;

/** The next page is stable, so offer one; don't take this one away. */
const offerReload = (app) => {
  const link = element("a", { href: location.href, textContent: "A newer page is ready" });
  app.prepend(element("p", { id: "reload" }, link));
};

/** The code of the details is a chunk of its own, loaded when somebody asks for it. */
const details = async (goods) => {
  const { describe } = await import("./details.js");
  goods.replaceChildren(...edition.goods.map((name) => element("li", { textContent: describe(name) })));
};

const style = () => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    body { font: 16px/1.5 sans-serif; margin: 0; }
    h1 { font-size: 1.5rem; margin: 0; }
    header { background: ${edition.colour}; color: white; padding: 1rem 2rem; }
    main > :not(header) { margin: 1rem 2rem; }
    #why { color: #555; font-size: .875rem; }
    #goods { padding-left: 1.25rem; }
    #more { font: inherit; padding: .375rem 1rem; }
    #app > #reload { background: #fff3cd; margin: 0; padding: .5rem 2rem; }`);
  document.adoptedStyleSheets = [sheet];
};

/** @param {import("../../loader/loader").Lockstep} lockstep */
export const start = (lockstep) => {
  const app = document.getElementById("app");
  const goods = element("ul", { id: "goods" }, ...edition.goods.map((name) => element("li", { textContent: name })));
  const more = element("button", { id: "more", textContent: "Details", onclick: () => details(goods) });
  const title = element("h1", { id: "edition", textContent: edition.title });
  if (lockstep.flags.newCheckout) title.append(" with the new checkout");
  style();
  app.replaceChildren(element("header", {}, title), element("p", { id: "why", textContent: why(lockstep) }), goods, more);
  addEventListener("lockstep:kill", () => offerReload(app));
};
