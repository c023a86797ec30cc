import { edition } from "#edition";

export const describe = (name) => `${name}, from the ${edition.title.toLowerCase()}, in stock`;
