/* trust FILE: the user trusts this certificate (DER) as an authority from now on. */
#include <stdio.h>
#include <windows.h>
/* after it */
#include <wincrypt.h>

int main(int count, char **arguments) {
  unsigned char bytes[4096];
  FILE *const file = count == 2 ? fopen(arguments[1], "rb") : NULL;
  if (!file) return 2;
  const size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  const HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, CERT_SYSTEM_STORE_CURRENT_USER, L"Root");
  if (!store) return 1;
  const BOOL added = CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, bytes, (DWORD)size,
                                                      CERT_STORE_ADD_REPLACE_EXISTING, NULL);
  return CertCloseStore(store, 0) && added ? 0 : 1;
}
