import{a as o}from"./chunk-3MQ2EIWS.js";var i=t=>`${t}, from the ${o.title.toLowerCase()}, in stock`;export{i as describe};
