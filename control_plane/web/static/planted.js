// A sign-in that an application's script has planted in this browser, so that the visitor would go on
// as somebody else: no script ever sees one that the portal itself has set.

const name = "__Host-remoteapp";
const isThere = () => document.cookie.split("; ").some((one) => one.startsWith(`${name}=`));

if (isThere()) {
  document.cookie = `${name}=; Max-Age=0; Path=/; Secure`;
  if (!isThere()) location.replace("/login?done=planted");
}
