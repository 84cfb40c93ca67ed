---Certificates for specs, made by the openssl command in a folder that goes at the end.

local support = require "spec.support"

local M = {}

local folder
local count = 0

local CONFIG = [[
[ca]
default_ca = all
[all]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
[any]
organizationName = optional
commonName = optional
]]

local function command(text)
  local status, _, stderr = support.shell(("cd %s && %s"):format(folder, text))
  assert(status == 0, text .. "\n" .. stderr)
end

local function prepare()
  if not folder then
    folder = os.tmpname()
    os.remove(folder)
    local made, path = newproxy(true), folder
    getmetatable(made).__gc = function() os.execute("rm -rf " .. path) end
    M.cleaner = made
    os.execute(("mkdir %s && : > %s/index.txt"):format(path, path))
    M.write("config", CONFIG)
  end
end

---@param name string
---@param content string
---@return string path
function M.write(name, content)
  prepare()
  local path = folder .. "/" .. name
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
  return path
end

---@param name string
---@return string path in the folder
function M.path(name)
  prepare()
  return folder .. "/" .. name
end

local function read(name)
  local file = assert(io.open(folder .. "/" .. name, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function date(days)
  return os.date("!%Y%m%d%H%M%SZ", os.time() + days * 86400)
end

local KEYS = { ec = "EC -pkeyopt ec_paramgen_curve:P-256", rsa = "RSA -pkeyopt rsa_keygen_bits:2048",
  weak = "RSA -pkeyopt rsa_keygen_bits:1024" }

---@class spec.CertOptions
---@field name string?
---@field sans string? "DNS:a.example,IP:127.0.0.1"
---@field issuer table?
---@field ca boolean? it may sign others
---@field from number? days from now
---@field to number? the same
---@field key string? of which kind
---@field usage string?
---@field key_of table? a certificate that has the same key

---@param options spec.CertOptions
---@return {cert: string, key: string, cert_path: string, key_path: string, name: string} it lies in files too
function M.make(options)
  prepare()
  count = count + 1
  local name, id = options.name or "cert " .. count, "c" .. count
  local extensions = {
    "basicConstraints=critical," .. (options.ca and "CA:TRUE" or "CA:FALSE"),
    "subjectKeyIdentifier=hash",
  }
  if options.sans then
    extensions[#extensions + 1] = "subjectAltName=" .. options.sans
  end
  if options.usage then
    extensions[#extensions + 1] = "extendedKeyUsage=" .. options.usage
  end
  M.write(id .. ".ext", table.concat(extensions, "\n") .. "\n")
  if options.key_of then
    M.write(id .. ".key", options.key_of.key)
  else
    command(("openssl genpkey -out %s.key -algorithm %s"):format(id, KEYS[options.key or "ec"]))
  end
  command(("openssl req -new -config config -key %s.key -subj %s -out %s.csr"):format(id,
    support.quote("/O=Specs/CN=" .. name), id))
  local signer = options.issuer and ("-cert %s -keyfile %s"):format(options.issuer.cert_path, options.issuer.key_path)
    or ("-selfsign -keyfile %s.key"):format(id)
  command(("openssl ca -batch -config config -in %s.csr %s -startdate %s -enddate %s -extfile %s.ext -notext "
    .. "-out %s.pem"):format(id, signer, date(options.from or -1), date(options.to or 30), id, id))
  return {
    name = name, cert = read(id .. ".pem"), key = read(id .. ".key"),
    cert_path = folder .. "/" .. id .. ".pem", key_path = folder .. "/" .. id .. ".key",
  }
end

local root

---The authority of this spec.
function M.root()
  root = root or M.make { name = "Spec CA", ca = true }
  return root
end

local hosts = {}

---A good certificate for localhost, 127.0.0.1 and ::1, of that authority.
---@param key string? "ec", "rsa"
function M.localhost(key)
  key = key or "ec"
  hosts[key] = hosts[key] or
    M.make { name = "localhost", issuer = M.root(), sans = "DNS:localhost,IP:127.0.0.1,IP:::1", key = key }
  return hosts[key]
end

return M
