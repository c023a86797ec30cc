import{a as o}from"./chunk-4HEKMTUH.js";var i=t=>`${t}, from the ${o.title.toLowerCase()}, in stock`;export{i as describe};
