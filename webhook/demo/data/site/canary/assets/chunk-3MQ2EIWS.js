var e={name:"green",title:"Green shop",colour:"#1b7a3d",goods:["Lamp","Chair","Table","Sofa (new)"]};export{e as a};
