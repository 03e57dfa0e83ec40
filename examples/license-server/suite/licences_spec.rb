# frozen_string_literal: true

require_relative 'appliance'

# What scenarios/licence-survives-restore.yml says, in RSpec: for those who have a suite already.
RSpec.describe 'The appliance' do
  appliance = Appliance.new

  def json(answer) = JSON.parse(answer.body)

  before(:all) { appliance.rollback }

  it 'offers SSH and its web server, and no database' do
    expect([22, 80, 5432].map { |port| appliance.listens?(port) }).to eq [true, true, false]
  end

  it 'takes no licences before it is configured' do
    expect(appliance.post('/licenses', key: 'ABCD-1234').code).to eq '503'
  end

  context 'when it is configured' do
    before(:all) do
      appliance.run!("license-server configure --hostname rspec.example.test --admin-password '#{appliance.password}'")
    end

    it 'keeps a licence over backup, loss and restore' do
      expect(appliance.post('/licenses', key: 'ABCD-1234').code).to eq '201'
      appliance.run!('license-server backup /root/backup.tar')
      backup = appliance.download('/root/backup.tar')

      appliance.rollback
      expect(appliance.get('/licenses/ABCD-1234').code).to eq '404'

      appliance.upload(backup, '/root/backup.tar')
      appliance.run!('license-server restore /root/backup.tar')
      expect(json(appliance.get('/licenses/ABCD-1234'))).to include('key' => 'ABCD-1234', 'product' => 'desk')
    end
  end
end
