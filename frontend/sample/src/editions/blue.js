export const edition = {
  name: "blue",
  title: "Blue shop",
  colour: "#0b5cad",
  goods: ["Lamp", "Chair", "Table"],
};
