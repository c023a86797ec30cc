import{a as d}from"./chunk-3MQ2EIWS.js";var n=(e,t,...o)=>{let r=Object.assign(document.createElement(e),t);return r.append(...o),r};var s=({cohort:e,reason:t,share:o,bucket:r,release:a})=>`You are on ${e} (${t}) \xB7 share ${o}\xA0% \xB7 bucket ${r} \xB7 ${a?`release ${a}`:"no release name"}`,c=e=>{let t=n("a",{href:location.href,textContent:"A newer page is ready"});e.prepend(n("p",{id:"reload"},t))},m=async e=>{let{describe:t}=await import("./details-ASUALPMZ.js");e.replaceChildren(...d.goods.map(o=>n("li",{textContent:t(o)})))},l=()=>{let e=new CSSStyleSheet;e.replaceSync(`
    body { font: 16px/1.5 sans-serif; margin: 0; }
    h1 { font-size: 1.5rem; margin: 0; }
    header { background: ${d.colour}; color: white; padding: 1rem 2rem; }
    main > :not(header) { margin: 1rem 2rem; }
    #why { color: #555; font-size: .875rem; }
    #goods { padding-left: 1.25rem; }
    #more { font: inherit; padding: .375rem 1rem; }
    #app > #reload { background: #fff3cd; margin: 0; padding: .5rem 2rem; }`),document.adoptedStyleSheets=[e]},f=e=>{let t=document.getElementById("app"),o=n("ul",{id:"goods"},...d.goods.map(i=>n("li",{textContent:i}))),r=n("button",{id:"more",textContent:"Details",onclick:()=>m(o)}),a=n("h1",{id:"edition",textContent:d.title});e.flags.newCheckout&&a.append(" with the new checkout"),l(),t.replaceChildren(n("header",{},a),n("p",{id:"why",textContent:s(e)}),o,r),addEventListener("lockstep:kill",()=>c(t))};export{f as start};
