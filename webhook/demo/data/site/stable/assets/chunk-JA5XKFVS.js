var o={name:"blue",title:"Blue shop",colour:"#0b5cad",goods:["Lamp","Chair","Table"]};export{o as a};
