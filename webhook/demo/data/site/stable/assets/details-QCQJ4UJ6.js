import{a as o}from"./chunk-JA5XKFVS.js";var i=t=>`${t}, from the ${o.title.toLowerCase()}, in stock`;export{i as describe};
